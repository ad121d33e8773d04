// The upgrade of `.ci/long/upgrade`: node upgrade.mjs CHECKOUT_OF_THE_OLD_VERSION, with the settings of the stack in the environment.
import assert from 'node:assert/strict';
import process from 'node:process';
import {
  closeDatabase,
  drained,
  gaps,
  post,
  program,
  query,
  say,
  sleep,
  tellGaps,
  upload,
  verify,
} from '../lib/stream.mjs';

const old = program(process.argv[2]);
const now = program();
const share = process.env.SHARE ?? 'standby';
const between = Number(process.env.SECONDS_EACH ?? 6) * 1000;
const moment = async () => (await query('select clock_timestamp() as now'))[0].now;

// What is ready may still have nothing to do: another one may have been faster.
const consume = (version, name, partition) =>
  version.start(
    `consume-${partition}-${name}`,
    [
      'consume',
      ...(share === 'any' || partition === 'any'
        ? []
        : share === 'group'
          ? ['--group']
          : ['--partition', `${partition}`]),
    ],
    'ready',
  );
const follow = (version, name) => version.start(`produce-${name}`, ['produce', '--follow', '--rate', '8']);
const listen = (version, name, port) =>
  version.start(`serve-${port}-${name}`, ['serve', '--port', `${port}`], 'listening on');

/** The one at work ends as its service manager would end it, and the other version is started in its place. */
async function replace(roles, key, start) {
  const ended = await roles[key].stop();
  roles[key] = await start();
  say(
    `${key}: ended in ${ended.toFixed(1)} s, the other version ready ${roles[key].readyAfter.toFixed(1)} s after its start`,
  );
  await sleep(between);
}

const before = await old.run(['init']);
say(`the old version: schema ${before.database.applied.at(-1)}`);
await upload(old, ['before-1', 'before-2', 'before-3', 'before-4', 'before-5']);
const roles = {};
const standby = share === 'standby' ? ['any'] : [];
for (const n of [0, 1, 2, ...standby]) roles[`consumer ${n}`] = await consume(old, 'old', n);
roles.produce = await follow(old, 'old');
const ports = [0, 1].map((n) => 20_000 + ((process.pid + n) % 10_000));
for (const port of ports) roles[`serve ${port}`] = await listen(old, 'old', port);
const posting = post(
  ports.map((port) => `http://127.0.0.1:${port}`),
  2,
);
await sleep(between);

const began = await moment();
await sleep(between);
const steady = await gaps(began, await moment());
say(`nothing changes: ${tellGaps(steady)}`);

const upgrading = await moment();
const { database } = await now.run(['init']);
say(`init of the new version applies ${database.applied.join(', ') || 'nothing'}`);
await sleep(between);
// The last one gives back what it has taken over.
for (const n of [...standby, 0, 1, 2, ...standby])
  await replace(roles, `consumer ${n}`, () => consume(now, 'new', n));
await replace(roles, 'produce', () => follow(now, 'new'));
for (const port of ports) await replace(roles, `serve ${port}`, () => listen(now, 'new', port));
await upload(now, ['after-1']);
say(`upgraded: ${tellGaps(await gaps(upgrading, await moment()))}`);

const back = await moment();
await replace(roles, 'consumer 1', () => consume(old, 'back', 1));
await replace(roles, 'produce', () => follow(old, 'back'));
await replace(roles, `serve ${ports[0]}`, () => listen(old, 'back', ports[0]));
await upload(old, ['after-2']);
say(`one of each is the old version again: ${tellGaps(await gaps(back, await moment()))}`);
for (const version of [old, now]) {
  const { partitions } = await version.run(['status'], { codes: [0, 1] });
  assert.deepEqual(
    partitions.map(({ state }) => state),
    ['consuming', 'consuming', 'consuming'],
  );
}

const { sent, accepted, elsewhere, refused } = await posting.stop();
say(
  `${sent} images posted, ${accepted.length} accepted; ${elsewhere} were sent to the other serve, ${refused} refused at first`,
);
assert.equal(accepted.length, sent);
await roles.produce.stop();
await now.run(['produce']);
await drained(now);
for (const [key, role] of Object.entries(roles)) if (key !== 'produce') await role.stop();
await verify(now, accepted);
await closeDatabase();
