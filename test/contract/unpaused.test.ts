/** Where a server closes the connection behind an answer that nobody has read yet. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Agent, fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpaused } from '../../src/lib/models/pull/unpaused.ts';
import { rejection } from '../support/images.ts';

const body = Buffer.alloc(1_000_000, 'x');

let agent: Agent;
beforeEach(() => {
  agent = new Agent();
});
afterEach(() => agent.destroy());

/** Answers once, with the length or without it, and closes; `closed` resolves when the other side has closed too. */
async function closing(tells: boolean) {
  const server = createServer();
  const closed = once(server, 'connection').then(async ([socket]) => {
    await once(socket as Socket, 'data');
    const length = tells ? `Content-Length: ${body.length}\r\n` : '';
    const head = Buffer.from(`HTTP/1.1 200 OK\r\n${length}Connection: close\r\n\r\n`);
    (socket as Socket).on('error', () => undefined).end(Buffer.concat([head, body]));
    await new Promise((resolve) => (socket as Socket).once('close', resolve));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, closed, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
}

describe('an answer that is read late', () => {
  it.each([true, false])('is whole (the server tells its length: %s)', async (tells) => {
    await using server = await closing(tells);
    const dispatcher = unpaused(agent, body.length, () => new Error('too large'));
    const response = await fetch(server.url, { dispatcher });
    await server.closed;
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  it('takes no more memory than it may', async () => {
    await using server = await closing(false);
    const dispatcher = unpaused(agent, 500_000, () => new Error('too large'));
    const response = await fetch(server.url, { dispatcher });
    await server.closed;
    const error = (await rejection(response.arrayBuffer())) as Error;
    expect(error.cause).toMatchObject({ message: 'too large' });
  });
});
