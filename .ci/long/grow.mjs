// The growth of `.ci/long/grow`: requests of the same few keys before, during and after, with the settings of the stack in the environment.
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { loadConfig } from '../../dist/lib/config/load.js';
import { openTopic } from '../../dist/lib/systems/topic/open.js';
import {
  closeDatabase,
  drained,
  gaps,
  program,
  query,
  say,
  sleep,
  tellGaps,
  upload,
  verify,
} from '../lib/stream.mjs';

const visionscale = program();
const share = process.env.SHARE ?? 'any';
const moment = async () => (await query('select clock_timestamp() as now'))[0].now;

await visionscale.run(['init']);
await upload(visionscale, ['belt']);
const keys = (await query('select image_key as key from image_info order by 1 limit 40')).map(
  ({ key }) => key,
);

const consumers = [];
async function addConsumers(...partitions) {
  const flags = (n) => ({ any: [], group: ['--group'], partition: ['--partition', `${n}`] })[share];
  const start = (n) => visionscale.start(`consume-${n}`, ['consume', ...flags(n)], 'ready');
  consumers.push(...(await Promise.all(partitions.map(start))));
}
await addConsumers(0, 1, 2);
const following = await visionscale.start('produce', ['produce', '--follow', '--rate', '2']);

const topic = await openTopic({ ...loadConfig(process.env).topic });
const producer = await topic.producer();
const sent = [];
const acknowledged = [];
function send(n) {
  const key = keys[n % keys.length];
  const id = `grow-${String(n).padStart(6, '0')}`;
  const headers = { 'visionscale-request-id': id, 'content-type': 'text/plain' };
  acknowledged.push(producer.send([{ key: Buffer.from(key), value: Buffer.from(key), headers }]));
  return id;
}
let belt = true;
const sending = (async () => {
  const began = performance.now();
  for (let beat = 0; belt; beat++) {
    await sleep(Math.max(0, began + beat * 100 - performance.now()));
    sent.push(send(sent.length));
  }
})();

async function grow(partitions, title) {
  const [from, first] = [await moment(), sent.length];
  const { added } = await visionscale.run(['topic', 'grow', '--partitions', `${partitions}`, '--yes']);
  const grown = await moment();
  if (share === 'partition') await addConsumers(...added);
  return { title, from, first, grown, added };
}

/** What it did to the order within a key, of the requests since the one with this number. */
async function tell({ title, from, first, grown, added }, since) {
  const to = await moment();
  const [{ after }] = await query(
    `select extract(epoch from min(time) - $1)::float8 as after from prediction_results where partition = any($2)`,
    [grown, added],
  );
  say(
    `${title}: first row of a new partition after ${after.toFixed(1)} s; ${tellGaps(await gaps(from, to))}`,
  );
  const rows = await query(
    `select image_key as key, request_id as id, partition, time from prediction_results
     where request_id like 'grow-%' and request_id >= $1 order by time, id`,
    [sent[since]],
  );
  const moved = new Set();
  const newest = new Map(); // of each key: the latest request recorded so far, and since when it has been
  const late = [];
  for (const { key, id, partition, time } of rows) {
    const before = newest.get(key);
    if (before !== undefined && id < before.id) late.push({ by: (time - before.since) / 1000 });
    else newest.set(key, { id, since: time, partition });
    if (before !== undefined && id > before.id && partition !== before.partition && id >= sent[first])
      moved.add(key);
  }
  const most = Math.max(0, ...late.map(({ by }) => by)).toFixed(1);
  say(
    `${title}: ${moved.size} of ${keys.length} keys have moved; ${late.length} of ${rows.length} requests were recorded after a ` +
      `later one of their key, by ${most} s at most`,
  );
}

await sleep(10_000);
const six = await grow(6, '3 to 6 partitions, no backlog');
if (share !== 'partition') await addConsumers(3, 4, 5);
await sleep(15_000);
await tell(six, 0);

// The same requests once more, now into other partitions: they change nothing.
for (let n = 0; n < 100; n++) send(n);
await sleep(5_000);

const beforeBacklog = sent.length;
for (let n = 0; n < 600; n++) sent.push(send(sent.length));
const nine = await grow(9, '6 to 9 partitions, over a backlog of 600');
await sleep(15_000);
belt = false;
await sending;
await Promise.all(acknowledged);
await following.stop();
await visionscale.run(['produce']);
await drained(visionscale);
await tell(nine, beforeBacklog);
const [{ used }] = await query(`select count(distinct partition)::int as used from prediction_results`);
assert.equal(used, 9);
for (const consumer of consumers) await consumer.stop();
await producer[Symbol.asyncDispose]();
await topic[Symbol.asyncDispose]();
await verify(visionscale, sent);
await closeDatabase();
