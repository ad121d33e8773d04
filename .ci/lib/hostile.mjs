// What no client library would send: bodies without end, ten thousand connections, headers by the byte, names that lead elsewhere.
// node hostile.mjs URL PID: exits 0 when the server has refused it all and serves as before.
/* global AbortSignal, URL, fetch */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import console from 'node:console';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

const [url, pid] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const say = (text) => console.log(text);
const memory = (name) =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) >> 10;
const openFiles = () => readdirSync(`/proc/${pid}/fd`).length;
const seconds = (began) => ((performance.now() - began) / 1000).toFixed(1);

/** A connection; resolves when it has closed. `feed` writes to it. */
function raw(feed) {
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.once('connect', () => feed?.(socket));
  return { socket, closed, status: async () => (await closed, Number(answer.split(' ')[1] ?? 0)) };
}

async function healthy(within) {
  const began = performance.now();
  const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(within) });
  assert.equal(response.status, 200);
  return performance.now() - began;
}

/** As much as the other side takes. */
function pour(socket, total, wrap = (chunk) => chunk) {
  const chunk = wrap(Buffer.alloc(65_536, 0xff));
  let sent = 0;
  const more = () => {
    while (sent < total && !socket.destroyed) {
      sent += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', more);
  more();
  return () => sent;
}

{
  const began = performance.now();
  const head = 'POST /v1/images HTTP/1.1\r\nhost: localhost\r\n';
  let sent;
  const declared = raw((socket) => {
    socket.write(`${head}content-length: 2000000000\r\n\r\n`);
    sent = pour(socket, 2e9);
  });
  // Whoever goes on sending may lose the answer to the connection's reset.
  assert.ok([413, 0].includes(await declared.status()));
  assert.ok(sent() < 100e6, `${sent()} bytes of a body of 2 GB were taken`);
  const patient = raw((socket) => socket.write(`${head}content-length: 2000000000\r\n\r\n`));
  assert.equal(await patient.status(), 413);
  say(`2 GB, declared: 413 after ${seconds(began)} s`);
  const chunked = raw((socket) => {
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    // An image's beginning, so that the content alone does not end it.
    socket.write('4\r\n\xff\xd8\xff\xe0\r\n', 'latin1');
    pour(socket, 2e9, (chunk) => Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]));
  });
  assert.ok([413, 0].includes(await chunked.status()));
  say(`2 GB, in chunks: 413 after ${seconds(began)} s; memory ${memory('VmRSS')} MB`);
}

{
  const [before, files] = [memory('VmRSS'), openFiles()];
  const began = performance.now();
  const open = [];
  for (let n = 0; n < 10_000; n++) {
    // Some say nothing, some begin a request and never end it.
    open.push(raw((socket) => n % 2 && socket.write('GET /healthz HTTP/1.1\r\nhost: loc')));
    if (n % 500 === 499) await sleep(20);
  }
  let most = 0;
  const looking = setInterval(() => (most = Math.max(most, openFiles() - files)), 100);
  const took = await healthy(30_000);
  say(
    `10000 connections: /healthz in ${took.toFixed(0)} ms meanwhile; memory ${memory('VmRSS')} MB (before ${before})`,
  );
  while (openFiles() > files + 50) {
    assert.ok(performance.now() - began < 90_000, 'idle connections are kept too long');
    await sleep(200);
  }
  clearInterval(looking);
  say(`up to ${most} were open at a time; all closed by the server after ${seconds(began)} s`);
  // The kernel may have promised more than the server ever saw.
  for (const { socket } of open) socket.destroy();
}

{
  const began = performance.now();
  const slow = Array.from({ length: 200 }, () =>
    raw(async (socket) => {
      for (const byte of `POST /v1/images HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(1000)}`) {
        if (socket.destroyed) return;
        socket.write(byte);
        await sleep(250);
      }
    }),
  );
  assert.ok((await healthy(5000)) < 5000);
  const statuses = await Promise.all(slow.map(({ status }) => status()));
  assert.ok(
    statuses.every((status) => status === 408 || status === 0),
    String(new Set(statuses)),
  );
  say(`headers by the byte: cut off after ${seconds(began)} s`);
}

{
  const image = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
    'base64',
  );
  const names = [
    '../../x',
    '../../../../../../../../tmp/visionscale-was-here',
    '%2e%2e%2f%2e%2e%2fx',
    '..\\..\\x',
    '/etc/passwd',
    '.',
    '..',
    '',
    ' ',
    'x'.repeat(4096),
    '写'.repeat(1300),
    'a\0b',
    'a\x1b[2Jb',
    '\xff\xfe',
    'con',
    '$(touch /tmp/visionscale-was-here)',
    "'; drop table ingested; --",
    '<script>',
    'a'.repeat(300) + '.jpg',
  ];
  const counts = {};
  for (const name of names) {
    for (const head of [
      'POST /v1/images HTTP/1.1\r\nvisionscale-image-name',
      'POST / HTTP/1.1\r\nimg_name',
    ]) {
      const one = raw((socket) => {
        socket.write(
          `${head}: ${name}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: ${image.length}\r\n\r\n`,
        );
        socket.write(image);
      });
      const status = await one.status();
      assert.ok([201, 202, 400, 431].includes(status), `${JSON.stringify(name.slice(0, 40))}: ${status}`);
      counts[status] = (counts[status] ?? 0) + 1;
    }
  }
  say(`names: ${JSON.stringify(counts)}`);
}

{
  // No HTTP at all, and HTTP that contradicts itself.
  const nonsense = [
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET / HTTP/9.9\r\n\r\n',
    'GET\r\n\r\n',
    '\r\n'.repeat(1000),
    'GET /healthz HTTP/1.1\r\n\r\n',
    'POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n',
    'POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde',
    'POST /v1/images HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
  ];
  const statuses = await Promise.all(
    nonsense.map((text) => raw((socket) => socket.end(Buffer.from(text, 'latin1'))).status()),
  );
  assert.ok(
    statuses.every((status) => status === 0 || (status >= 400 && status < 500)),
    String(statuses),
  );
  say(`nonsense: ${statuses.join(' ')}`);
}

await healthy(5000);
say(`serves as before; most memory ever ${memory('VmHWM')} MB`);
assert.ok(memory('VmHWM') < 1000, 'it took more than 1 GB');
