// Plays incidents on the built program and the servers of `.ci/servers env`, and prints after how many seconds each was told by
// /readyz, a metric, the log and `visionscale status`, and how long it took to heal. Exits 0 when all of it was told in time, and no
// image is lost or doubled.
/* global AbortSignal, URL, fetch */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import console from 'node:console';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import sharp from 'sharp';

/** The aim, and what fails the check: machines that do much else are slower than those that are operated. */
const aimSeconds = 10;
const ceilingSeconds = Number(process.env.VISIONSCALE_CI_INCIDENT_SECONDS ?? 30);
const everyMs = 100;

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
const partitions = 3;
const id = randomBytes(4).toString('hex');
const work = mkdtempSync(join(tmpdir(), 'visionscale-incidents.'));
const server = new URL(process.env.VISIONSCALE_TEST_POSTGRES);
const databaseUrl = Object.assign(new URL(server), { pathname: `/incidents_${id}` }).href;
const bucket = `incidents-${id}`;
const env = {
  ...process.env,
  DATABASE_URL: databaseUrl,
  KAFKA_BROKERS: process.env.VISIONSCALE_TEST_KAFKA,
  KAFKA_TOPIC: `incidents.${id}`,
  VISIONSCALE_PARTITIONS: String(partitions),
  VISIONSCALE_STORE: `s3://${bucket}`,
  S3_ENDPOINT: process.env.VISIONSCALE_TEST_S3,
  VISIONSCALE_DATA_DIR: join(work, 'data'),
  VISIONSCALE_MODELS: join(work, 'models'),
  VISIONSCALE_WORKERS: '1',
  NO_COLOR: '1',
};
const s3 = new S3Client({
  endpoint: env.S3_ENDPOINT,
  region: 'us-east-1',
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
});

const now = () => performance.now();
const secondsSince = (began) => (now() - began) / 1000;
const said = (text) => console.log(text);

/** Seconds from `began` until it holds; the check fails where it never does. */
async function until(what, began, holds, seconds = ceilingSeconds) {
  for (;;) {
    if (await holds()) return secondsSince(began);
    if (secondsSince(began) > seconds) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(everyMs);
  }
}

async function visionscale(args, extra = {}) {
  const options = { cwd: work, env: { ...env, ...extra }, maxBuffer: 1e8 };
  const program = [join(root, 'bin/visionscale.js'), ...args];
  try {
    const { stdout, stderr } = await run(process.execPath, program, options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

async function must(...args) {
  const { code, stdout, stderr } = await visionscale(args);
  assert.equal(code, 0, `visionscale ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** `kill` or `restart`, of one of the servers. */
const away = new Set();
async function servers(what, name) {
  if (what === 'kill') away.add(name);
  await run(join(root, '.ci/servers'), [what, name]);
  if (what === 'restart') away.delete(name);
}

const started = [];

/** A long-running command, with what it logs and shows. */
class Service {
  log = '';
  marked = 0;
  code = undefined;
  origin;

  constructor(name, args, extra = {}) {
    this.name = name;
    this.began = now();
    this.child = spawn(process.execPath, [join(root, 'bin/visionscale.js'), ...args, '--metrics-port', '0'], {
      cwd: work,
      env: { ...env, ...extra },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr.setEncoding('utf8').on('data', (chunk) => (this.log += chunk));
    this.ended = once(this.child, 'exit').then(([code]) => (this.code = code));
    started.push(this);
  }

  async get(path) {
    this.origin ??= /metrics on (http:\/\/[^/\s]+)/.exec(this.log)?.[1];
    if (this.origin === undefined) return { status: 0, body: '' };
    const response = await fetch(`${this.origin}${path}`, { signal: AbortSignal.timeout(1000) }).catch(
      () => null,
    );
    return { status: response?.status ?? 0, body: (await response?.text().catch(() => '')) ?? '' };
  }

  async isReady() {
    return (await this.get('/readyz')).status === 200;
  }

  /** The sum of the samples that begin so. */
  async metric(start) {
    const { body } = await this.get('/metrics');
    const values = body
      .split('\n')
      .flatMap((line) => (line.startsWith(start) ? [Number(line.split(' ').at(-1))] : []));
    return values.length === 0 ? undefined : values.reduce((a, b) => a + b);
  }

  /** From here on its log is news. */
  mark() {
    this.marked = this.log.length;
  }

  news() {
    return this.log.slice(this.marked);
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
    assert.equal(this.code, 0, `${this.name} ended with ${this.code}:\n${this.log}`);
  }
}

/** Of those who have to tell it, the last. */
async function slowest(what, began, services, holds) {
  const all = services.map((one) => until(`${one.name}: ${what}`, began, () => holds(one)));
  return Math.max(...(await Promise.all(all)));
}

/** Asked again and again, as an operator would. */
async function statusSays(began, code, pattern) {
  let found;
  return until(`status says ${pattern} (${code})`, began, async () => {
    found = await visionscale(['status']);
    return found.code === code && pattern.test(`${found.stdout}${found.stderr}`.replaceAll(/\s+/g, ' '));
  }).catch((error) => {
    throw new Error(`${error.message}; it says:\n${found?.stdout}${found?.stderr}`);
  });
}

const table = [];
const show = (value) => (typeof value === 'number' ? value.toFixed(1) : value);

/** `tell`: the seconds of the four ways. `heal`: the seconds from its end, and in words what healed. */
async function incident(title, tell, heal) {
  const [readyz, metric, log, status] = await Promise.all(tell);
  const row = { title, readyz, metric, log, status };
  table.push(row);
  Object.assign(row, await heal());
  const { after, healed } = row;
  said(
    `${title}: /readyz ${show(readyz)}, metric ${show(metric)}, log ${show(log)}, status ${show(status)}; healed after ${show(after)}: ${healed}`,
  );
}

/** As in docs/reliability.md. */
function printTable() {
  const rows = table.map((row) => [
    row.title,
    ...[row.readyz, row.metric, row.log, row.status, row.after].map(show),
    row.healed,
  ]);
  const head = ['incident', '/readyz', 'metric', 'log', 'status', 'healed after', 'what heals'];
  for (const cells of [head, head.map(() => '---'), ...rows]) said(`| ${cells.join(' | ')} |`);
  const late = table.filter((row) =>
    [row.readyz, row.metric, row.log, row.status].some((value) => value > aimSeconds),
  );
  if (late.length > 0)
    said(`told later than the aim of ${aimSeconds} s: ${late.map(({ title }) => title).join('; ')}`);
}

// The images: 32 by 32 points, each with a colour of its own.
let drawn = 0;
async function image() {
  const n = ++drawn;
  const background = { r: n & 255, g: (n >> 8) & 255, b: 128 };
  return sharp({ create: { width: 32, height: 32, channels: 3, background } })
    .png()
    .toBuffer();
}

async function putImages(count, prefix) {
  const keys = [...Array(count).keys()].map((n) => `${prefix}/${n}.png`);
  const left = [...keys];
  const put = async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: await image() }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, put));
  return keys;
}

let database;
function openDatabase() {
  database = new pg.Pool({ connectionString: databaseUrl, max: 2, connectionTimeoutMillis: 3000 });
  database.on('error', () => undefined);
}
const count = async (from) => (await database.query(`select count(*)::int as n from ${from}`)).rows[0].n;

/** What is inserted into image_info is sent by `produce --follow`. */
async function insert(keys) {
  await database.query('insert into image_info (image_key) select unnest($1::text[])', [keys]);
}

async function drained(began) {
  return until('every image has its row', began, async () => {
    const left = await count(
      `image_info i where not exists (select from prediction_results p where p.image_key = i.image_key)
        and not exists (select from dead_letters d where d.image_key = i.image_key)`,
    ).catch(() => undefined);
    return left === 0;
  });
}

const called = { database: 'the database', topic: 'the topic', store: 'the object store' };
const title = { database: 'PostgreSQL', topic: 'Kafka', store: 'S3' };
const processOf = { database: 'postgres', topic: 'kafka', store: 'versitygw' };

/** What all who need this server tell of it. */
function tellAway(name, began, services, status) {
  const line = new RegExp(`"msg":"waiting[^"]*${called[name]}`);
  return [
    slowest('not ready', began, services, async (one) => (await one.get('/readyz')).status === 503),
    slowest(
      'visionscale_waiting',
      began,
      services,
      async (one) => (await one.metric(`visionscale_waiting{for="${name}"`)) === 1,
    ),
    slowest(`logs ${line}`, began, services, (one) => line.test(one.news())),
    statusSays(began, 1, status),
  ];
}

/** That all of it ends by itself once the server answers. */
async function comeBack(name, services, busy) {
  await servers('restart', processOf[name]);
  const began = now();
  const ready = slowest('ready', began, services, (one) => one.isReady());
  const waits = slowest(
    'waits no more',
    began,
    services,
    async (one) => (await one.metric('visionscale_waiting{')) === 0,
  );
  const rows = busy ? [drained(began)] : [];
  const all = await Promise.all([ready, waits, statusSays(began, 0, /./), ...rows]);
  for (const one of services) assert.equal(one.code, undefined, `${one.name} has ended:\n${one.log}`);
  return {
    after: Math.max(...all),
    healed: 'by itself: all are ready, `status` is well' + (busy ? ', every image has its row' : ''),
  };
}

const statusSentence = {
  database: /database is away/i,
  topic: /topic cannot be read/i,
  store: /object store is away/i,
};

/** Does not wait for the server's end: from here on everybody is asked. */
function kill(name, services) {
  for (const one of services) one.mark();
  const began = now();
  return { began, gone: servers('kill', processOf[name]) };
}

async function idleOutage(name, services, heal = () => comeBack(name, services, false)) {
  const { began, gone } = kill(name, services);
  const tell = tellAway(name, began, services, statusSentence[name]);
  await incident(`${title[name]} away, nothing to do`, [...tell, gone], heal);
}

let bursts = 0;
async function busyOutage(name, services, web) {
  await burst(`busy-${++bursts}`);
  const posting = post(web);
  const { began, gone } = kill(name, services);
  const tell = tellAway(name, began, services, statusSentence[name]);
  await incident(`${title[name]} away, images coming in`, [...tell, gone], async () => {
    const healed = await comeBack(name, services, true);
    await posting.stop();
    return healed;
  });
}

/** Returns in the middle of the work on 240 images. */
async function burst(prefix) {
  const keys = await putImages(240, prefix);
  const before = await count('prediction_results');
  await insert(keys);
  await until('a part is recorded', now(), async () => (await count('prediction_results')) >= before + 30);
}

/** Sends images to `serve` until told to stop; what it has accepted has to become a row. */
const accepted = [];
let refused = 0;
function post(web) {
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      const answer = await fetch(`${web}/v1/images`, {
        method: 'POST',
        body: await image(),
        signal: AbortSignal.timeout(20_000),
      }).catch(() => null);
      if (answer?.ok) accepted.push((await answer.json()).id);
      else refused++;
      await sleep(100);
    }
  })();
  return { stop: () => ((stopped = true), loop) };
}

/** The store is away while nobody has anything to do, and a consumer starts that has to fetch its model from there. */
async function storeAwayAtStart(services) {
  await idleOutage('store', services, async () => {
    const late = new Service('late consumer', ['consume'], {
      VISIONSCALE_MODELS: join(work, 'no models yet'),
    });
    const status = new RegExp(`:${late.child.pid} waits: `);
    let healed;
    await incident(
      'a consumer starts while S3 is away',
      tellAway('store', late.began, [late], status),
      async () => {
        healed = await comeBack('store', [...services, late], false);
        await late.stop();
        return healed;
      },
    );
    return healed;
  });
}

/** A message without its image, and an image that is none: the images around them go on. */
async function poison(consumers) {
  const keys = ['poison/missing.png', 'poison/broken.png'];
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: keys[1], Body: 'no image at all' }));
  const letters = async () => {
    const all = await Promise.all(consumers.map((one) => one.metric('visionscale_dead_letters_total{')));
    return all.reduce((sum, one) => sum + (one ?? 0), 0);
  };
  for (const one of consumers) one.mark();
  const before = await letters();
  const began = now();
  await insert(keys);
  const tell = [
    'stays 200: nothing waits',
    until('both are counted', began, async () => (await letters()) - before >= 2),
    until('the log has them', began, () => consumers.some((one) => /"msg":"dead letter: /.test(one.news()))),
    statusSays(began, 0, /2 dead letters to look at/),
  ];
  await incident('a message without its image, and a broken image', tell, async () => {
    for (const one of consumers) assert.ok(await one.isReady(), `${one.name} is not ready`);
    for (const key of keys)
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: await image() }));
    const repaired = now();
    await must('dead-letters', 'retry', '--all');
    const both = async () => (await count(`prediction_results where image_key like 'poison/%'`)) === 2;
    const after = await until('both have a row', repaired, both);
    return { after, healed: 'with the images mended, by `dead-letters retry`: both have a row' };
  });
}

/** SIGSTOP past its lease, in the middle of work. */
async function frozen([victim, other]) {
  const leases = async () => (await other.metric('visionscale_lease{')) ?? 0;
  const crashes = async () => (await other.metric('visionscale_crashes_total{what="consumer"')) ?? 0;
  const more = await putImages(60, 'meanwhile');
  await burst('frozen');
  const [before, crashed] = [await leases(), await crashes()];
  assert.ok(before > 0 && before < partitions, 'one of the two owns nothing');
  other.mark();
  const began = now();
  victim.child.kill('SIGSTOP');
  await insert(more);
  const tell = [
    until('it does not answer', began, async () => (await victim.get('/readyz')).status === 0),
    until('the other one counts a crash and has its leases', began, async () => {
      return (await crashes()) > crashed && (await leases()) === partitions;
    }),
    until('the other one logs it', began, () => /"msg":"consuming"/.test(other.news())),
    statusSays(began, 0, new RegExp(`:${victim.child.pid} has been silent for`)),
  ];
  await incident('a consumer frozen (SIGSTOP) past its lease', tell, async () => {
    const recorded = await drained(began);
    victim.child.kill('SIGCONT');
    const woken = now();
    await until('it is ready again', woken, () => victim.isReady());
    // Its pictures are none of the model's classes, which `status` says too.
    await statusSays(woken, 0, /^(?!.*silent).*All well[:,] /);
    return {
      after: recorded,
      healed: 'by itself, from the freeze: the other has recorded every image; woken, it shares again',
    };
  });
}

/** Given to one consumer, as by a wrong deployment; the operator's own key is right. */
async function wrongStoreKey() {
  const wrong = new Service('consumer with a wrong key', ['consume'], { AWS_SECRET_ACCESS_KEY: 'wrong' });
  const status = new RegExp(`:${wrong.child.pid} waits: access denied`);
  await incident(
    'a consumer starts with a wrong S3 key',
    tellAway('store', wrong.began, [wrong], status),
    async () => {
      await wrong.stop();
      return startedAgain('key');
    },
  );
}

async function wrongDatabasePassword() {
  const url = Object.assign(new URL(databaseUrl), { password: 'wrong' }).href;
  const wrong = new Service('consumer with a wrong password', ['consume'], { DATABASE_URL: url });
  const { began } = wrong;
  const denied = /password authentication failed/;
  const tell = [
    until('it has ended', began, () => wrong.code === 1),
    'no process: it ends with 1',
    until('it says so', began, () => denied.test(wrong.log)),
    until('status says so', began, async () => {
      const { code, stderr } = await visionscale(['status'], { DATABASE_URL: url });
      return code === 1 && denied.test(stderr);
    }),
  ];
  await incident('a consumer starts with a wrong database password', tell, () => startedAgain('password'));
}

async function startedAgain(what) {
  const right = new Service(`consumer with the right ${what}`, ['consume']);
  const after = await until('ready', right.began, () => right.isReady());
  await right.stop();
  return { after, healed: `started again with the right ${what}: it is ready` };
}

async function main() {
  mkdirSync(join(work, 'models'));
  await must('init');
  openDatabase();
  await must('model', 'use', 'belt-parts');
  const a = new Service('consumer a', ['consume']);
  const b = new Service('consumer b', ['consume']);
  const sender = new Service('produce --follow', ['produce', '--follow']);
  const web = new Service('serve', ['serve', '--port', '0']);
  const consumers = [a, b];
  const all = [...consumers, sender, web];
  const storeUsers = [...consumers, web];
  await slowest('ready', now(), all, (one) => one.isReady());
  const url = await (async () => {
    const pattern = /listening on (http:[^"]*)/;
    await until('serve listens', now(), () => pattern.test(web.log));
    return pattern.exec(web.log)[1];
  })();
  await insert(await putImages(20, 'first'));
  await drained(now());

  await idleOutage('database', all);
  await idleOutage('topic', all);
  await storeAwayAtStart(storeUsers);
  await busyOutage('database', all, url);
  await busyOutage('topic', all, url);
  await busyOutage('store', storeUsers, url);
  await poison(consumers);
  await frozen(consumers);
  await wrongStoreKey();
  await wrongDatabasePassword();

  await drained(now());
  for (const one of all) await one.stop();
  const rows = await count('prediction_results');
  assert.equal(
    await count('(select distinct request_id from prediction_results) r'),
    rows,
    'a request has two rows',
  );
  const found = await database.query('select request_id from prediction_results');
  const recorded = new Set(found.rows.map((row) => row.request_id));
  assert.deepEqual(
    accepted.filter((one) => !recorded.has(one)),
    [],
    'what serve accepted has no row',
  );
  await must('audit');
  said(
    `nothing lost or doubled: ${rows} rows, each request once, ${accepted.length} of them accepted by serve (${refused} refused while servers were away); audit clean`,
  );
}

try {
  await main();
} finally {
  for (const name of away) await servers('restart', name);
  for (const one of started) {
    one.child.kill('SIGCONT');
    one.child.kill('SIGKILL');
  }
  await Promise.all(started.map((one) => one.ended));
  await database?.end();
  rmSync(work, { recursive: true, force: true });
  printTable();
}
