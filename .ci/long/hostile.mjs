// The part of .ci/long/hostile that sends, waits and measures: hostile.mjs WORK ROUNDS
import { Buffer } from 'node:buffer';
import { execFileSync, spawn } from 'node:child_process';
import console from 'node:console';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { openDatabase } from '../../dist/lib/systems/database/open.js';
import { openEmbeddedTopic } from '../../dist/lib/systems/topic/embedded/topic.js';

const { fetch } = globalThis;
const [work, roundsText] = process.argv.slice(2);
const rounds = Number(roundsText);
/** Seconds from sending a good image to its row, and megabytes of a process, at most. */
const [mostSeconds, mostMegabytes] = [60, 600];
const goodAtOnce = 15;
const binary = 'bin/visionscale.js';
const faults = [];
const begun = performance.now();
const say = (text) =>
  console.log(`${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${text}`);

// --- hostile inputs

/** Deflate that yields `data` behind `junk` bytes of blocks which hold nothing. */
function slowStream(data, junk) {
  const nothing = Buffer.alloc(Math.floor(junk / 5) * 5, Buffer.from([0x02, 0x08, 0x20, 0x80, 0x00]));
  const whole = deflateSync(data, { level: 0 });
  return Buffer.concat([whole.subarray(0, 2), nothing, whole.subarray(2)]);
}

/**
 * `shared`: all tiles are one stream; else strips with a stream each. Of a stream of more than a megabyte libtiff reads no more
 * than what the pixels may need.
 */
function slowTiff({ side, shared, junk }) {
  const unit = shared ? 16 * 16 : side * 16;
  const count = shared ? (side / 16) ** 2 : side / 16;
  const stream = slowStream(Buffer.alloc(unit, 90), junk);
  const streams = shared ? 1 : count;
  const tables = 8 + streams * (stream.length + 1);
  const file = Buffer.alloc(tables + 8 * count + 2 + 12 * 11 + 4);
  file.write('II*\0', 'latin1');
  const directory = tables + 8 * count;
  file.writeUInt32LE(directory, 4);
  for (let i = 0; i < streams; i++) stream.copy(file, 8 + i * (stream.length + 1));
  for (let i = 0; i < count; i++) {
    file.writeUInt32LE(8 + (i % streams) * (stream.length + 1), tables + 4 * i);
    file.writeUInt32LE(stream.length, tables + 4 * (count + i));
  }
  const common = [
    [256, side],
    [257, side],
    [258, 8],
    [259, 8],
    [262, 1],
    [277, 1],
  ];
  const layout = shared
    ? [
        [322, 16],
        [323, 16],
        [324, tables, count],
        [325, tables + 4 * count, count],
      ]
    : [
        [273, tables, count],
        [278, 16],
        [279, tables + 4 * count, count],
      ];
  const entries = [...common, ...layout].sort(([a], [b]) => a - b);
  file.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, value, number = 1], i) => {
    const at = directory + 2 + 12 * i;
    file.writeUInt16LE(tag, at);
    // Readers want some of them short.
    file.writeUInt16LE([258, 259, 262, 277].includes(tag) ? 3 : 4, at + 2);
    file.writeUInt32LE(number, at + 4);
    file.writeUInt32LE(value, at + 8);
  });
  return file;
}

/** Grey tiles of 16 × 16, each a picture of its own: libvips is set up for every one. */
async function tinyPictures(side) {
  const grey = { width: 16, height: 16, channels: 3, background: '#777' };
  const tile = await sharp({ create: grey }).toColourspace('b-w').jpeg().toBuffer();
  const count = (side / 16) ** 2;
  const tables = 8 + count * (tile.length + 1);
  const directory = tables + 8 * count;
  const file = Buffer.alloc(directory + 2 + 12 * 11 + 4);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(directory, 4);
  for (let i = 0; i < count; i++) {
    tile.copy(file, 8 + i * (tile.length + 1));
    file.writeUInt32LE(8 + i * (tile.length + 1), tables + 4 * i);
    file.writeUInt32LE(tile.length, tables + 4 * (count + i));
  }
  const entries = [
    [256, side],
    [257, side],
    [258, 8],
    [259, 7],
    [262, 1],
    [277, 1],
    [322, 16],
    [323, 16],
    [324, tables, count],
    [325, tables + 4 * count, count],
  ];
  file.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, value, number = 1], i) => {
    const at = directory + 2 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE([258, 259, 262, 277].includes(tag) ? 3 : 4, at + 2);
    file.writeUInt32LE(number, at + 4);
    file.writeUInt32LE(value, at + 8);
  });
  return file;
}

function manyFrames(count) {
  const head = Buffer.from('4749463839610100010080000000ff00ff00ff', 'hex');
  const frame = Buffer.from('2c000000000100010000024401003b', 'hex').subarray(0, 14);
  const frames = Buffer.alloc(frame.length * count, frame);
  return Buffer.concat([head, frames, Buffer.from([0x3b])]);
}

const images = [
  ['tiles that are one slow stream', slowTiff({ side: 6400, shared: true, junk: 900_000 })],
  ['strips that are slow each by itself', slowTiff({ side: 4096, shared: false, junk: 100_000 })],
  ['pictures in tiles by the ten thousand', await tinyPictures(4800)],
  ['4 million frames', manyFrames(4_000_000)],
];
// To try one of them: HOSTILE_ONLY=tiles,strips,frames,event
const only = process.env.HOSTILE_ONLY?.split(',');
const wanted = (name) => only === undefined || only.some((part) => name.includes(part));
const event = (n) =>
  Buffer.from(`{"n":${n},"Records":[${Array.from({ length: 20_000 }, () => '{}').join(',')}]}`);

// --- what is watched

/** Processes of this run: those whose command line or environment names its directory. */
function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const [args, env, status] = ['cmdline', 'environ', 'status'].map((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'utf8'),
        );
        if (!`${args}${env}`.includes(work)) return [];
        const megabytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
        return [{ pid: Number(pid), command: args.replaceAll('\0', ' ').trim(), megabytes }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

const ancestors = new Set([process.pid, process.ppid]);
const ours = () => processes().filter(({ pid }) => !ancestors.has(pid));
let largest = { megabytes: 0, command: '' };
const watching = setInterval(() => {
  for (const one of ours()) if (one.megabytes > largest.megabytes) largest = one;
}, 250);

// --- the run

const up = spawn(process.execPath, [binary, 'up', '--json'], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
let [told, log] = ['', ''];
up.stdout.on('data', (chunk) => (told += chunk));
up.stderr.on('data', (chunk) => (log += chunk));
const ended = once(up, 'exit');
ended.then(() => clearInterval(watching));
while (!told.includes('\n')) {
  await Promise.race([sleep(100), ended.then(() => Promise.reject(new Error(`up has ended:\n${log}`)))]);
}
const { server } = JSON.parse(told.split('\n')[0]);
say(`up at ${server}`);
const database = await openDatabase(
  { kind: 'embedded', dataDir: join(work, 'data') },
  { applicationName: 'hostile', onNotice: () => undefined },
);
const topic = await openEmbeddedTopic({ pool: database.pool, name: 'visionscale.images' });
const producer = await topic.producer();

async function post(body) {
  const sent = Date.now();
  const response = await fetch(`${server}/v1/images`, { method: 'POST', body });
  const answer = await response.json();
  return { status: response.status, id: answer.id, sent };
}

let drawn = 0;
async function good() {
  const n = drawn++;
  const background = { r: (n * 37) % 256, g: (n * 91) % 256, b: (n * 151) % 256 };
  const body = await sharp({ create: { width: 200 + (n % 97), height: 180, channels: 3, background } })
    .jpeg()
    .toBuffer();
  const { status, id, sent } = await post(body);
  if (status !== 202) faults.push(`a good image was answered ${status}`);
  return { id, sent };
}

const sending = [];
const several = async (count, pauseMs) => {
  for (let i = 0; i < count; i++) {
    sending.push(await good());
    await sleep(pauseMs);
  }
};

for (let round = 1; round <= rounds; round++) {
  await several(goodAtOnce, 20);
  const beside = several(goodAtOnce, 400);
  for (const [name, body] of images.filter(([name]) => wanted(name))) {
    const { status } = await post(Buffer.concat([body, Buffer.from(`${round}`)]));
    say(`round ${round}: ${name}, ${(body.length / 1e6).toFixed(1)} MB: ${status}`);
  }
  if (wanted('event')) await producer.send([{ key: null, value: event(round), headers: {} }]);
  await beside;
  await several(goodAtOnce, 20);
  // All of them within their time.
  const until = Date.now() + (mostSeconds + 5) * 1000;
  let missing = sending;
  while (missing.length > 0 && Date.now() < until) {
    await sleep(250);
    const { rows } = await database.pool.query(
      'select request_id as id, time from prediction_results where request_id = any($1)',
      [missing.map(({ id }) => id)],
    );
    const times = new Map(rows.map(({ id, time }) => [id, time.getTime()]));
    for (const one of missing)
      one.seconds = times.has(one.id) ? (times.get(one.id) - one.sent) / 1000 : undefined;
    missing = missing.filter(({ seconds }) => seconds === undefined);
  }
  if (missing.length > 0) faults.push(`round ${round}: ${missing.length} good images without a row`);
  say(`round ${round}: ${sending.length - missing.length} of ${sending.length} good images have rows`);
}

const seconds = sending.flatMap((one) => one.seconds ?? []).sort((a, b) => a - b);
const late = seconds.filter((s) => s > mostSeconds).length;
if (late > 0) faults.push(`${late} good images took more than ${mostSeconds} s`);
// What is hostile has its outcome too, within a while.
for (let left = 120; left > 0; left--) {
  const status = JSON.parse(
    execFileSync(process.execPath, [binary, 'status', '--exit-zero', '--json'], { encoding: 'utf8' }),
  );
  if (status.partitions.every(({ lag }) => lag === 0)) break;
  if (left === 1) faults.push('the topic is not drained');
  await sleep(1000);
}
const { rows: letters } = await database.pool.query(
  'select stage, code, count(*)::int as count from dead_letters group by 1, 2 order by 1, 2',
);
const audit = spawn(process.execPath, [binary, 'audit', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
let findings = '';
audit.stdout.on('data', (chunk) => (findings += chunk));
await once(audit, 'close');
if (JSON.parse(findings).ok !== true) faults.push(`audit: ${findings.trim()}`);
await producer[Symbol.asyncDispose]();
await topic[Symbol.asyncDispose]();
await database[Symbol.asyncDispose]();

const stopping = performance.now();
up.kill('SIGTERM');
const [code] = await ended;
if (code !== 0) faults.push(`up ended with ${code}`);
const stopSeconds = (performance.now() - stopping) / 1000;
await sleep(1000);
for (const { command } of ours()) faults.push(`left: ${command}`);
if (largest.megabytes > mostMegabytes) {
  faults.push(`${largest.megabytes.toFixed(0)} MB in ${largest.command}`);
}
const restarts = log.match(/restarting it in/g)?.length ?? 0;

const at = (share) => seconds[Math.min(seconds.length - 1, Math.floor(share * seconds.length))]?.toFixed(1);
console.log(
  `good images   ${sending.length}, rows ${seconds.length}; median ${at(0.5)} s, 95 % ${at(0.95)} s, slowest ${at(1)} s`,
);
console.log(
  `dead letters  ${letters.map(({ stage, code, count }) => `${count} ${stage}/${code}`).join(', ') || 'none'}`,
);
console.log(`memory        ${largest.megabytes.toFixed(0)} MB at most (${largest.command.slice(0, 100)})`);
console.log(`restarts      ${restarts}; stopped in ${stopSeconds.toFixed(1)} s`);
for (const fault of faults) console.error(`fault: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
