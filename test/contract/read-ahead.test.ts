/** Where a connection breaks while what came is not written yet: undici would end the process. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fetch } from 'undici';
import { expect, it } from 'vitest';
import { readAhead } from '../../src/lib/models/pull/read-ahead.ts';
import { rejection } from '../support/images.ts';

const body = Buffer.alloc(300_000, 'x');
const tooLarge = () => new Error('too large');

/** Announces that it closes, answers with half of what it promised, and resets the connection. */
async function resetting() {
  const server = createServer((socket) => {
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${2 * body.length}\r\nConnection: close\r\n\r\n`;
    socket.once('data', () => {
      socket.write(head);
      socket.write(body, () => socket.resetAndDestroy());
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
}

it('hands on all that came before, then why no more comes', async () => {
  await using server = await resetting();
  const chunks = readAhead((await fetch(server.url)).body, 2 * body.length, tooLarge);
  let bytes = 0;
  const slowly = async () => {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      await pause(20);
    }
  };
  expect(await rejection(slowly())).toMatchObject({ message: 'terminated' });
  expect(bytes).toBeGreaterThan(0);
});

it('reads no more than it may', async () => {
  await using server = await resetting();
  const chunks = readAhead((await fetch(server.url)).body, 1000, tooLarge);
  expect(await rejection(chunks.next())).toMatchObject({ message: 'too large' });
});
