// Processes of a stream, images posted to it steadily, and what became of them; for the scripts in .ci/long.
/* global AbortSignal, fetch */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import console from 'node:console';
import { createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { URL } from 'node:url';
import pg from 'pg';

export const work = process.env.STREAM_WORK;
const photographs = join(process.env.VISIONSCALE_TEST_DATA, 'images/imagenet-sample');
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export const say = (text) => console.log(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${text}`);
export { sleep };

/** What can be called of one checkout: a command to its end, and a role that keeps running. */
export function program(checkout = '.') {
  const binary = resolve(checkout, 'bin/visionscale.js');
  return {
    /** Its JSON; `codes` are the exit codes that are expected. */
    async run(words, { codes = [0], env = {} } = {}) {
      const child = spawn(process.execPath, [binary, ...words, '--json'], {
        env: { ...process.env, ...env },
      });
      let out = '';
      let log = '';
      child.stdout.on('data', (data) => (out += data));
      child.stderr.on('data', (data) => (log += data));
      const code = await new Promise((done) => child.on('close', done));
      assert.ok(codes.includes(code), `visionscale ${words.join(' ')} ended with ${code}: ${log}${out}`);
      return out.trim() === '' ? { log } : JSON.parse(out);
    },

    /** Ready when its log has the text; without one at once. */
    async start(name, words, ready = '', env = {}) {
      const began = performance.now();
      const child = spawn(process.execPath, [binary, ...words], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running.add(child);
      let log = '';
      const file = createWriteStream(join(work, `${name}.log`), { flags: 'a' });
      const ended = new Promise((done) => child.on('close', done)).finally(() => running.delete(child));
      await new Promise((done, fail) => {
        child.stderr.on('data', (data) => {
          file.write(data);
          log += data;
          if (log.includes(ready)) done();
        });
        if (ready === '') done();
        ended.then((code) => fail(new Error(`${name} ended with ${code}: ${log}`)));
      });
      return {
        log: () => log,
        readyAfter: (performance.now() - began) / 1000,
        /** `codes`: of how it may end; null: by a signal. */
        async stop(codes = [0]) {
          const asked = performance.now();
          child.kill('SIGTERM');
          const code = await ended;
          assert.ok(codes.includes(code), `${name} ended with ${code}`);
          return (performance.now() - asked) / 1000;
        },
      };
    },
  };
}

let pool;
export async function query(text, values) {
  if (pool === undefined) {
    pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
    pool.on('error', () => undefined); // a server that ends is part of some scripts
  }
  return (await pool.query(text, values)).rows;
}
export async function closeDatabase() {
  await pool?.end();
  pool = undefined;
}

/** Uploads copies of the photographs, each under a prefix of its own. Some of them are no photographs, and are left out. */
export async function upload(visionscale, prefixes) {
  for (const prefix of prefixes)
    await visionscale.run(['upload', photographs, '--prefix', prefix], { codes: [0, 1] });
}

/** Posts images evenly, each to the first of the addresses that takes it, as behind a load balancer. */
export function post(addresses, rateASecond) {
  const bodies = readdirSync(photographs)
    .filter((name) => /\.jpe?g$/i.test(name))
    .map((name) => readFileSync(join(photographs, name)));
  const accepted = [];
  let stopped = false;
  let [number, elsewhere, refused] = [0, 0, 0];
  const began = performance.now();
  const one = async (n) => {
    const key = `${process.pid}-${n}`;
    for (let tries = 0; tries < 100; tries++) {
      const at = addresses[(n + tries) % addresses.length];
      try {
        const answer = await fetch(new URL('/v1/images', at), {
          method: 'POST',
          headers: { 'content-type': 'image/jpeg', 'idempotency-key': key },
          body: bodies[n % bodies.length],
          signal: AbortSignal.timeout(10_000),
        });
        const text = await answer.text();
        if (answer.status < 300) return accepted.push(JSON.parse(text).id);
        refused++;
      } catch {
        elsewhere++;
      }
      if (tries >= addresses.length) await sleep(50);
    }
    throw new Error(`nobody takes image ${n}`);
  };
  const sending = (async () => {
    const all = [];
    for (; !stopped; number++) {
      await sleep(Math.max(0, began + (number * 1000) / rateASecond - performance.now()));
      all.push(one(number));
    }
    await Promise.all(all);
  })();
  return {
    async stop() {
      stopped = true;
      await sending;
      return { sent: number, accepted, elsewhere, refused };
    },
  };
}

/** Waits until everything in the topic has an outcome. */
export async function drained(visionscale, words = []) {
  for (const end = performance.now() + 240_000; performance.now() < end; await sleep(500)) {
    const { partitions } = await visionscale.run(['status', '--exit-zero', ...words]);
    if (partitions.every(({ lag }) => lag === 0)) return;
  }
  throw new Error('the stream did not come to its end');
}

/** Longest times without a row, of the stream and of one partition, between two moments; and the longest way of an image. */
export async function gaps(from, to) {
  const [row] = await query(
    `with rows as (
       select partition, time, latency_ms, time - lag(time) over (order by time) as gap,
         time - lag(time) over (partition by partition order by time) as own
       from prediction_results where time between $1 and $2)
     select count(*)::int as rows, extract(epoch from max(gap))::float8 as stream,
       extract(epoch from max(own))::float8 as partition, max(latency_ms) / 1000 as slowest,
       percentile_cont(0.5) within group (order by latency_ms) / 1000 as median from rows`,
    [from, to],
  );
  return row;
}

export const tellGaps = ({ rows, stream, partition, median, slowest }) =>
  `${rows} rows; longest time without one: ${stream.toFixed(2)} s, in one partition ${partition.toFixed(2)} s; ` +
  `from message to row: median ${median.toFixed(2)} s, slowest ${slowest.toFixed(2)} s`;

/** Exactly one row for each image that was produced, and for each that was posted; no dead letter; and `audit` agrees. */
export async function verify(visionscale, postedIds = []) {
  const [counts] = await query(
    `select (select count(*)::int from image_info) as images,
       (select count(*)::int from image_info where produced_at is not null) as produced,
       (select count(*)::int from dead_letters) as letters,
       (select count(*)::int from prediction_results) as rows,
       (select count(distinct request_id)::int from prediction_results) as requests,
       (select count(*)::int from image_info i where not exists
         (select from prediction_results r where r.request_id = 'p:' || i.round || ':' || i.image_key)) as unproduced,
       (select count(*)::int from unnest($1::text[]) as posted (request) where not exists
         (select from prediction_results r where r.request_id = posted.request)) as unposted`,
    [postedIds],
  );
  const expected = counts.produced + new Set(postedIds).size;
  const lost = counts.unproduced + counts.unposted;
  say(
    `${expected} requests, ${counts.rows} rows, ${lost} lost, ${counts.rows - counts.requests} doubled, ${counts.letters} dead letters`,
  );
  assert.equal(counts.produced, counts.images, 'every image is produced');
  assert.equal(lost, 0, 'nothing is lost');
  assert.equal(counts.rows, counts.requests, 'nothing is doubled');
  assert.equal(counts.rows, expected, 'and nothing is there that nobody sent');
  assert.equal(counts.letters, 0, 'no dead letter');
  const audit = await visionscale.run(['audit']);
  assert.equal(audit.ok, true, JSON.stringify(audit));
  say(`audit: ok`);
}
