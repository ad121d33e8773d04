// The losses of `.ci/long/restore`, mended by the commands of docs/operations.md, with the settings of the stack in the environment.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { closeDatabase, drained, post, program, query, say, sleep, verify } from '../lib/stream.mjs';

const visionscale = program();
const { IMAGES, STREAM_WORK, STREAM_OTHER_KAFKA, VISIONSCALE_TEST_DATA } = process.env;
const blocks = readFileSync(join(STREAM_WORK, 'blocks'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** The page's own commands. */
function perform(step) {
  const texts = blocks.filter((block) => block.step === step).map(({ text }) => text);
  assert.notEqual(texts.length, 0, `docs/operations.md has no block with step=${step}`);
  for (const text of texts)
    execFileSync('bash', ['-euc', text], { cwd: STREAM_WORK, stdio: ['ignore', 'ignore', 'inherit'] });
  say(`as the page says: ${step}`);
}

const photographs = join(VISIONSCALE_TEST_DATA, 'images/imagenet-sample');
const arrive = (folder) => cpSync(photographs, join(IMAGES, folder), { recursive: true });
const upload = () => visionscale.run(['upload', IMAGES], { codes: [0, 1] });
const count = async (table) => (await query(`select count(*)::int as n from ${table}`))[0].n;
async function rows(wanted) {
  while ((await count('prediction_results')) < wanted) await sleep(200);
}

let roles = [];
let run = 0;
async function begin(partitions = [0, 1, 2]) {
  run++;
  const consumers = partitions.map((n) =>
    visionscale.start(`consume-${n}-${run}`, ['consume', '--partition', `${n}`], 'consuming'),
  );
  roles = await Promise.all(consumers);
}
const follow = async () =>
  roles.push(await visionscale.start(`produce-${run}`, ['produce', '--follow', '--rate', '10']));
const port = 20_000 + (process.pid % 10_000);
const listen = async () =>
  roles.push(await visionscale.start(`serve-${run}`, ['serve', '--port', `${port}`], 'listening on'));
async function end(codes) {
  await Promise.all(roles.map((role) => role.stop(codes)));
  roles = [];
}

await visionscale.run(['init']);
arrive('before');
await upload();
await begin();
await follow();
await listen();
const posting = post([`http://127.0.0.1:${port}`], 2);
await rows(60);
perform('backup');
say(`dumped while the stream runs, after ${await count('prediction_results')} predictions`);

arrive('produced-after');
await upload();
await rows(300);
const posted = await posting.stop();
await end();
arrive('uploaded-after');
await upload();
say(
  `lost: a database with ${await count('image_info')} images and ${await count('prediction_results')} predictions`,
);
await closeDatabase();
execFileSync('psql', ['-Xq', process.env.ADMIN_URL, '-c', 'drop database my_db with (force)']);

perform('restore');
const [restored] = await query(
  'select (select count(*)::int from image_info) as images, (select count(*)::int from prediction_results) as rows',
);
say(`restored: ${restored.images} images and ${restored.rows} predictions`);
await begin();
perform('after-restore');
await drained(visionscale);
await verify(visionscale, posted.accepted);

say('Kafka is lost, with requests in it');
await end();
arrive('in-the-topic');
await upload();
await begin([0, 1]); // what is in the third partition is in Kafka alone
await listen();
const more = post([`http://127.0.0.1:${port}`], 10);
await visionscale.run(['produce']);
const { accepted } = await more.stop();
const before = await count('prediction_results');
execFileSync('.ci/servers', ['kill', 'kafka']);
// With a commit on its way librdkafka does not end: after 20 s they are killed, their partitions given back long before.
await end([0, null]);
const [{ open }] = await query(
  `select (select count(*)::int from image_info i where produced_at is not null and not exists
       (select from prediction_results r where r.request_id = 'p:' || i.round || ':' || i.image_key))
     + (select count(*)::int from ingested i where not exists
       (select from prediction_results r where r.request_id = i.request_id)) as open`,
);
say(`${before} predictions, and ${open} requests that were in Kafka alone`);
assert.ok(open > 0, 'it was lost too late to prove anything');

process.env.KAFKA_BROKERS = STREAM_OTHER_KAFKA;
perform('topic-lost');
await begin();
await drained(visionscale);
await verify(visionscale, [...posted.accepted, ...accepted]);
const told = roles.map(({ log }) => /[^"]*created again[^"]*/.exec(log())?.[0]).filter(Boolean);
say(`consumers say: ${told[0]}`);
await end();
await closeDatabase();
