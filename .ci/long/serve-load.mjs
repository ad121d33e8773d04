// The load of serve-load: how much the machine can do, then half of that, steadily; rows and results are looked at afterwards.
// node serve-load.mjs URL IMAGES DIRECTORY, with the settings of the stack in the environment.
/* global AbortController, fetch */
import assert from 'node:assert/strict';
import console from 'node:console';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { loadConfig } from '../../dist/lib/config/load.js';
import { openDatabase } from '../../dist/lib/systems/database/open.js';
import { openTopic } from '../../dist/lib/systems/topic/open.js';

const [url, count, directory] = process.argv.slice(2);
const photographs = readdirSync(directory)
  .filter((name) => /\.jpe?g$/i.test(name))
  .map((name) => readFileSync(join(directory, name)));
const config = loadConfig(process.env);
const database = await openDatabase(config.database);
const { name } = config.topic;
const results = await openTopic({ ...config.topic, name: `${name}.results`, pool: database.pool });

const percentiles = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1) };
};

/** Posts `amount` images; the ids that were acknowledged. */
async function post(amount, pace) {
  const ids = [];
  const others = {};
  let next = 0;
  const { latency } = await autocannon({
    url,
    amount,
    timeout: 60,
    ...pace,
    requests: [
      {
        method: 'POST',
        path: '/v1/images',
        headers: { 'content-type': 'image/jpeg' },
        setupRequest: (request) => ({ ...request, body: photographs[next++ % photographs.length] }),
        onResponse(status, body) {
          if (status === 202) ids.push(JSON.parse(body).id);
          else others[status] = (others[status] ?? 0) + 1;
        },
      },
    ],
  });
  return { ids, others, acknowledged: { p50: latency.p50, p99: latency.p99 } };
}

async function postEvenly(amount, rateASecond) {
  const ids = [];
  const others = {};
  const took = [];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: amount }, async (_, n) => {
      await sleep(Math.max(0, began + (n * 1000) / rateASecond - performance.now()));
      const sent = performance.now();
      const headers = { 'content-type': 'image/jpeg' };
      const body = photographs[n % photographs.length];
      const response = await fetch(`${url}/v1/images`, { method: 'POST', headers, body });
      const text = await response.text();
      took.push(performance.now() - sent);
      if (response.status === 202) ids.push(JSON.parse(text).id);
      else others[response.status] = (others[response.status] ?? 0) + 1;
    }),
  );
  return { ids, others, acknowledged: percentiles(took) };
}

async function rowsOf(ids) {
  for (;;) {
    const { rows } = await database.pool.query(
      `select request_id as id, latency_ms as latency, time, (stages->>'decode')::float8
         + (stages->>'preprocess')::float8 + (stages->>'infer')::float8 as work
       from prediction_results where request_id = any($1)`,
      [ids],
    );
    if (rows.length >= ids.length) return rows;
    await sleep(50);
  }
}

// Warm, and the results topic exists.
await rowsOf((await post(60, { connections: 4 })).ids);
const published = new Map();
const over = new AbortController();
const reading = [];
for (let partition = 0; partition < (await results.partitions()); partition++) {
  const { end } = await results.bounds(partition);
  const reader = await results.reader({ partition, from: end, group: `serve-load-${partition}` });
  reading.push(
    (async () => {
      for await (const { value } of reader.records(over.signal)) {
        const { id, capturedAt } = JSON.parse(value);
        if (!published.has(id)) published.set(id, Date.now() - Date.parse(capturedAt));
      }
      await reader[Symbol.asyncDispose]();
    })(),
  );
}

const began = Date.now();
const full = await post(400, { connections: 16 });
const last = Math.max(...(await rowsOf(full.ids)).map(({ time }) => time.getTime()));
const capacity = (full.ids.length / (last - began)) * 1000;
const rate = Math.max(1, Math.floor(capacity / 2));
await sleep(1000);

// At even intervals, as a camera does: autocannon would send a second's requests at its beginning.
const { ids, others, acknowledged } = await postEvenly(Number(count), rate);
const rows = await rowsOf(ids);
for (let waited = 0; waited < 10_000 && !ids.every((id) => published.has(id)); waited += 50) await sleep(50);
over.abort();
await Promise.all(reading);
const report = {
  images: ids.length,
  others,
  capacityASecond: Math.round(capacity * 10) / 10,
  rateASecond: rate,
  acknowledgedMs: acknowledged,
  workMs: percentiles(rows.map(({ work }) => work)),
  captureToRowMs: percentiles(rows.map(({ latency }) => latency)),
  captureToResultsTopicMs: percentiles(ids.map((id) => published.get(id))),
};
console.log(JSON.stringify(report, null, 2));
assert.deepEqual(others, {}, 'every answer is a 202');
assert.equal(new Set(ids).size, Number(count));
assert.equal(rows.length, ids.length, 'every image is a row, once');
assert.ok(
  ids.every((id) => published.has(id)),
  'every result is in the topic',
);
assert.ok(report.captureToRowMs.p99 < 500, 'capture to row: p99 under 500 ms');
assert.ok(report.captureToResultsTopicMs.p99 < 600, 'capture to the results topic: p99 under 600 ms');
process.exit(0);
