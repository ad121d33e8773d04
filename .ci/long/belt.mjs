// The belt of `.ci/long/belt`: starts the consumers, sends requests for photographs at a steady rate, and reads the rows.
// node belt.mjs CONSUMERS [SETTING=VALUE…], with the settings of the stack in the environment.
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import console from 'node:console';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../dist/lib/config/load.js';
import { openDatabase } from '../../dist/lib/systems/database/open.js';
import { openTopic } from '../../dist/lib/systems/topic/open.js';

const [count, ...settings] = process.argv.slice(2);
const config = loadConfig(process.env);
const database = await openDatabase(config.database);
const topic = await openTopic({ ...config.topic, pool: database.pool });
const { rows: images } = await database.pool.query('select image_key as key from image_info order by 1');
const producer = await topic.producer();

let sent = 0;
async function send(amount, rateASecond) {
  const began = performance.now();
  const ids = [];
  for (let n = 0; n < amount; n++) {
    if (rateASecond !== undefined)
      await sleep(Math.max(0, began + (n * 1000) / rateASecond - performance.now()));
    const id = `belt-${process.pid}-${++sent}`;
    const value = Buffer.from(images[sent % images.length].key);
    const headers = {
      'visionscale-request-id': id,
      'content-type': 'text/plain',
      'visionscale-captured-at': new Date().toISOString(),
    };
    ids.push(id);
    const acknowledged = producer.send([{ key: Buffer.from(id), value, headers }]);
    if (rateASecond === undefined) await acknowledged;
  }
  return ids;
}

async function rowsOf(ids) {
  for (;;) {
    const { rows } = await database.pool.query(
      `select time, latency_ms as latency, (stages->>'fetch')::float8 as fetch,
         (stages->>'decode')::float8 + (stages->>'preprocess')::float8 + (stages->>'infer')::float8 as work
       from prediction_results where request_id = any($1)`,
      [ids],
    );
    if (rows.length >= ids.length) {
      assert.equal(rows.length, ids.length);
      return rows;
    }
    await sleep(100);
  }
}

const percentiles = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => Number(sorted[Math.ceil(share * sorted.length) - 1].toFixed(1));
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
};

const megabytes = (pid) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

// A first image waits for each consumer: from its start to the row is what a restart costs.
const waiting = await send(1);
const env = { ...process.env, ...Object.fromEntries(settings.map((setting) => setting.split(/=(.*)/s, 2))) };
const began = Date.now();
const running = Array.from({ length: Number(count) }, () =>
  spawn(process.execPath, ['bin/visionscale.js', 'consume'], { env, stdio: ['ignore', 'ignore', 'inherit'] }),
);
process.on('exit', () => running.forEach((one) => one.kill('SIGKILL')));
const [first] = await rowsOf(waiting);
console.log(`first row ${((first.time.getTime() - began) / 1000).toFixed(2)} s after the start`);
await rowsOf(await send(200, 40)); // all workers are open, and warm

const belt = async (title, amount, rateASecond) => {
  const rows = await rowsOf(await send(amount, rateASecond));
  const [row, work] = [
    percentiles(rows.map(({ latency }) => latency)),
    percentiles(rows.map(({ work }) => work)),
  ];
  const fetch = percentiles(rows.map((one) => one.fetch));
  const ratio = (which) => (row[which] / work.p50).toFixed(2);
  console.log(
    `${title}: ${amount} images at ${rateASecond.toFixed(1)}/s; capture to row p50 ${row.p50}, p99 ${row.p99}, worst ${row.most} ms; ` +
      `work p50 ${work.p50}, p99 ${work.p99} ms; fetch p50 ${fetch.p50}, p99 ${fetch.p99} ms; ` +
      `row to work: p50 ${ratio('p50')}, p99 ${ratio('p99')}`,
  );
};
/** In work or waiting at a time: what the topic holds takes no memory here. */
async function backlog(total) {
  const slice = 5_000;
  for (let done = 0; done < total; done += slice) {
    await rowsOf(await send(slice, 2_000));
    if ((done + slice) % (2 * slice) === 0) tellMemory(`after ${done + slice} images: `);
  }
}

function tellMemory(when = '') {
  for (const { pid } of running) {
    const parts = [pid, ...childrenOf(pid)].map((one) => megabytes(one).toFixed(0));
    console.log(`${when}consumer ${parts[0]} MB, its workers ${parts.slice(1).join(' and ')} MB`);
  }
}

if (process.env.BELT_BACKLOG !== undefined) await backlog(Number(process.env.BELT_BACKLOG));
else await measure();

async function measure() {
  await belt('idle', 400, 10);

  const burst = await send(1000);
  const times = (await rowsOf(burst)).map(({ time }) => time.getTime());
  const capacity = ((times.length - 1) / (Math.max(...times) - Math.min(...times))) * 1000;
  console.log(`capacity: ${capacity.toFixed(1)} images/s`);
  await belt('busy', 1500, 0.8 * capacity);
  tellMemory();
}
for (const one of running) one.kill('SIGTERM');
await Promise.all(running.map((one) => new Promise((resolve) => one.on('close', resolve))));
await producer[Symbol.asyncDispose]();
await topic[Symbol.asyncDispose]();
await database[Symbol.asyncDispose]();
