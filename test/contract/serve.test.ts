/** The HTTP interface, as its clients see it: what it takes, what it answers, what it has done by then. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ZodType } from 'zod';
import { errorCodes } from '../../src/docs/pages.ts';
import { TopicError } from '../../src/lib/base/errors.ts';
import { parseTokens, tokenEntry } from '../../src/lib/config/http.ts';
import { newToken } from '../../src/lib/pipeline/serve/admission/access.ts';
import { bins } from '../../src/lib/pipeline/serve/schemas/bins.ts';
import { problem } from '../../src/lib/pipeline/serve/schemas/common.ts';
import * as schemas from '../../src/lib/pipeline/serve/schemas/images.ts';
import { ready } from '../../src/lib/pipeline/serve/schemas/overview.ts';
import { result, resultPage } from '../../src/lib/pipeline/serve/schemas/results.ts';
import { plainJpeg } from '../support/images.ts';
import { type Opened, type Served, served } from '../support/served.ts';

let world: Served;
let main: Opened;
let jpeg: Buffer;

beforeAll(async () => {
  world = await served();
  main = await world.open();
  jpeg = await plainJpeg('red');
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

const documented = new Set(Object.values(errorCodes).flatMap(Object.keys));

/** Asks over a socket, and holds the answer to its schema in the OpenAPI document. */
async function ask<T = Record<string, unknown>>(
  path: string,
  { server = main, ...init }: RequestInit & { server?: Opened } = {},
): Promise<Answer<T>> {
  const response = await fetch(server.url + path, init);
  const body: unknown = JSON.parse((await response.text()) || 'null');
  const { status, headers } = response;
  if (status >= 400 && !path.startsWith('/readyz')) {
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const { code } = problem.strict().parse(body);
    expect(body).toMatchObject({ status });
    expect(documented).toContain(code);
    expect(JSON.stringify(body)).not.toMatch(/\n\s+at |node_modules|\.ts:/);
  }
  return { status, headers, body: body as T };
}

interface Taken {
  id: string;
  status: string;
  imageKey: string;
}

function post(
  body: Buffer | FormData,
  { path = '/v1/images', server = main, ...headers }: Record<string, unknown> & { server?: Opened } = {},
): Promise<Answer<Taken>> {
  return ask<Taken>(path as string, {
    method: 'POST',
    body: body as NonNullable<RequestInit['body']>,
    headers: headers as Record<string, string>,
    server,
  });
}

/** Every image its own bytes. */
let made = 0;
const image = () => plainJpeg(`rgb(${made % 256}, ${(made++ >> 8) % 256}, 99)`);
const messageOf = async (id: string) =>
  (await world.messages()).filter(({ headers }) => headers['visionscale-request-id'] === id);
const strictly = (schema: ZodType, value: unknown) => expect(schema.parse(value)).toEqual(value);

describe('an image', () => {
  it('is stored, in the topic, and pending when it is acknowledged', async () => {
    const bytes = await image();
    const { status, headers, body } = await post(bytes, {
      'visionscale-image-name': Buffer.from('belt/häs 1.jpg').toString('latin1'),
      'visionscale-belt': 'b1',
      'visionscale-captured-at': '2026-01-02T03:04:05.678Z',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(status).toBe(202);
    strictly(schemas.accepted, body);
    expect(body.imageKey).toMatch(/^http\/\d{4}-\d\d-\d\d\/[0-9a-f-]{36}\/häs 1\.jpg$/);
    expect(headers.get('location')).toBe(`/v1/images/${body.id}`);
    expect(await world.store.get(body.imageKey, { maxBytes: 1e6 })).toEqual(bytes);
    const [message, ...more] = await messageOf(body.id);
    expect(more).toEqual([]);
    expect([message!.key.toString(), message!.value.toString()]).toEqual([body.imageKey, body.imageKey]);
    expect(message!.headers).toEqual({
      'visionscale-request-id': body.id,
      'content-type': 'text/plain; charset=utf-8',
      'visionscale-captured-at': '2026-01-02T03:04:05.678Z',
      'visionscale-belt': 'b1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    const pending = await ask(`/v1/images/${body.id}`);
    strictly(schemas.image, pending.body);
    expect(pending.body).toMatchObject({ status: 'pending', imageKey: body.imageKey });
  });

  it('goes through the topic itself where that is wanted and it is small enough', async () => {
    const inline = await world.open({ ingest: 'inline', maxInlineBytes: 1500 });
    const small = await image();
    expect(small.length).toBeLessThan(1500);
    const { body } = await post(small, { server: inline });
    const [message] = await messageOf(body.id);
    expect(message).toMatchObject({ value: small, headers: { 'content-type': 'image/jpeg' } });
    expect(message!.key.toString()).toBe(body.imageKey);
    expect(await world.store.head(body.imageKey)).toBeNull();
    const large = await plainJpeg('blue', 500);
    const other = (await post(large, { server: inline })).body;
    expect((await messageOf(other.id))[0]!.value.toString()).toBe(other.imageKey);
    expect(await world.store.head(other.imageKey)).toMatchObject({ bytes: large.length });
  });

  it('goes to the store where the topic takes less than the settings say', async () => {
    const inline = await world.open({ ingest: 'inline', maxInlineBytes: 5_000_000 });
    // Past what a record may hold; what follows the end of a JPEG is nobody's business.
    const large = Buffer.concat([await image(), Buffer.alloc(1_100_000)]);
    const { status, body } = await post(large, { server: inline });
    expect(status).toBe(202);
    expect((await messageOf(body.id))[0]!.value.toString()).toBe(body.imageKey);
  });

  it('is answered with its result where the sender waits for it', async () => {
    const waiting = post(await image(), {
      path: '/v1/images?wait=10s',
      'visionscale-image-name': 'waited.jpg',
    });
    let id: string | undefined;
    while (id === undefined) {
      const { rows } = await world.pool.query<{ id: string }>(
        `select request_id as id from ingested where image_key like '%/waited.jpg'`,
      );
      const found = rows[0]?.id;
      if (found !== undefined && (await messageOf(found)).length > 0) id = found;
    }
    await world.predict(id, { category: 'dog', bin: 'left' });
    const { status, body } = await waiting;
    expect(status).toBe(200);
    strictly(result, body);
    expect(body).toMatchObject({ id, category: 'dog', bin: 'left', model: { name: 'm' }, latencyMs: 12.5 });
    const state = await ask<{ result: unknown }>(`/v1/images/${id}`);
    strictly(schemas.image, state.body);
    expect(state.body).toMatchObject({ status: 'done', failure: null });
    expect(state.body.result).toEqual(body);
  });

  it('is a 202 when it takes longer, and tells when it can never be classified', async () => {
    const { status, body } = await post(await image(), { path: '/v1/images?wait=50ms' });
    expect([status, body.status]).toEqual([202, 'pending']);
    const asking = ask(`/v1/images/${body.id}?wait=10s`);
    await world.bury(body.id, 'truncated');
    const { body: state } = await asking;
    strictly(schemas.image, state);
    expect(state).toMatchObject({ status: 'failed', failure: { code: 'truncated', stage: 'classify' } });
  });

  it('of an id that nobody gave is unknown', async () => {
    expect((await ask('/v1/images/h:nothing')).status).toBe(404);
    expect((await ask(`/v1/images/${'x'.repeat(2000)}`)).status).toBe(400);
    expect((await ask(`/v1/images/${'x'.repeat(5000)}`)).status).toBe(414);
    await world.predict('p:1:a folder/with #.jpg');
    expect(await ask(`/v1/images/${encodeURIComponent('p:1:a folder/with #.jpg')}`)).toMatchObject({
      status: 200,
      body: { status: 'done' },
    });
  });
});

describe('an idempotency key', () => {
  const count = async (id: string) => {
    const { rows } = await world.pool.query('select from ingested where request_id = $1', [id]);
    return rows.length;
  };

  it('makes one request of an image that is sent again, and refuses another', async () => {
    const bytes = await image();
    const key = { 'idempotency-key': 'once' };
    const first = await post(bytes, { ...key, 'visionscale-image-name': 'a.jpg' });
    const again = await post(bytes, { ...key, 'visionscale-image-name': 'b.jpg' });
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.body).toEqual(first.body);
    expect(await count(first.body.id)).toBe(1);
    expect(await post(await image(), key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    await world.predict(first.body.id, { category: 'owl' });
    const sent = (await messageOf(first.body.id)).length;
    // With its result there, nothing is sent once more.
    expect(await post(bytes, key)).toMatchObject({ status: 200, body: { category: 'owl' } });
    expect(await messageOf(first.body.id)).toHaveLength(sent);
  });

  it('completes what an attempt that was cut short has left', async () => {
    let fail = true;
    const topicAway = { code: 'broker_unavailable', retryable: true };
    const failing = await world.open(
      {},
      {
        producer: {
          send: (records) =>
            fail
              ? Promise.reject(new TopicError('the broker at 192.0.2.1 is away', topicAway))
              : world.producer.send(records),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
      },
    );
    const bytes = await image();
    const key = { 'idempotency-key': 'cut-short', server: failing };
    const away = await post(bytes, key);
    expect(away).toMatchObject({ status: 503, body: { code: 'broker_unavailable' } });
    expect(away.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(JSON.stringify(away.body)).not.toContain('192.0.2.1');
    fail = false;
    const { status, body } = await post(bytes, key);
    expect(status).toBe(202);
    expect(await messageOf(body.id)).toHaveLength(1);
    expect(await count(body.id)).toBe(1);
  });

  it('belongs to its sender', async () => {
    const [a, b] = [newToken(), newToken()];
    const guarded = await world.open({ tokens: parseTokens(`${tokenEntry('a', a)},${tokenEntry('b', b)}`) });
    const bytes = await image();
    const send = (token: string) =>
      post(bytes, { server: guarded, authorization: `Bearer ${token}`, 'idempotency-key': 'same' });
    const ids = [(await send(a)).body.id, (await send(b)).body.id, (await send(a)).body.id];
    expect(ids[0]).toBe(ids[2]);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe('a form', () => {
  const form = (...files: [bytes: Buffer, name: string][]) => {
    const data = new FormData();
    for (const [bytes, name] of files) data.append('image', new Blob([new Uint8Array(bytes)]), name);
    return data;
  };

  it('with one image is answered as the image alone', async () => {
    const { status, body, headers } = await post(form([await image(), '../x y.jpg']));
    expect([status, headers.get('location')]).toEqual([202, `/v1/images/${body.id}`]);
    expect(body.imageKey).toMatch(/\/x y\.jpg$/);
    const named = new FormData();
    named.append('name', 'häs.jpg');
    named.append('file', new Blob([new Uint8Array(await image())]));
    expect((await post(named)).body.imageKey).toMatch(/\/häs\.jpg$/);
  });

  it('with several is answered one by one; a bad one stops nothing', async () => {
    const files: [Buffer, string][] = [
      [await image(), 'a.jpg'],
      [Buffer.from('no image at all'), 'b.jpg'],
      [Buffer.concat([jpeg, Buffer.alloc(2_500_000)]), 'large.jpg'],
      [await image(), 'c.jpg'],
    ];
    const { status, body } = await post(form(...files), { 'idempotency-key': 'four' });
    expect(status).toBe(207);
    strictly(schemas.several, body);
    const { images } = body as unknown as {
      images: { status: number; accepted?: Taken; problem?: { code: string } }[];
    };
    expect(images.map((one) => one.status)).toEqual([202, 415, 413, 202]);
    expect(images[1]!.problem!.code).toBe('not_an_image');
    for (const n of [0, 3]) expect(await messageOf(images[n]!.accepted!.id)).toHaveLength(1);
    const again = await post(form(...files), { 'idempotency-key': 'four' });
    expect((again.body as unknown as { images: { accepted?: Taken }[] }).images[3]!.accepted).toEqual(
      images[3]!.accepted,
    );
  });

  it('with a part that says it is an image needs no filename', async () => {
    const part = async (headers: string) => {
      const head = `--x\r\ncontent-disposition: form-data; name="file"\r\n${headers}\r\n`;
      const body = Buffer.concat([Buffer.from(head), await image(), Buffer.from('\r\n--x--\r\n')]);
      return post(body, { 'content-type': 'multipart/form-data; boundary=x' });
    };
    for (const type of ['image/jpeg', 'IMAGE/PNG', 'image/x-ms-bmp; a=b', 'application/octet-stream']) {
      const { status, body } = await part(`content-type: ${type}\r\n`);
      expect([type, status]).toEqual([type, 202]);
      expect(body.imageKey).toMatch(/\/image\.jpg$/);
    }
    const field = await part('');
    expect(field).toMatchObject({
      status: 400,
      body: { code: 'no_image', hint: expect.stringContaining('filename') as string },
    });
  });

  it('that cannot be read, holds nothing or too much is refused', async () => {
    const raw = (body: string, type = 'multipart/form-data; boundary=x') =>
      post(Buffer.from(body), { 'content-type': type });
    expect(await raw('anything', 'multipart/form-data')).toMatchObject({
      status: 400,
      body: { code: 'bad_form' },
    });
    expect(await raw('--x\r\nno headers')).toMatchObject({ status: 400 });
    expect(
      await raw('--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\ncut'),
    ).toMatchObject({
      status: 400,
    });
    expect(await raw('--x--\r\n')).toMatchObject({ status: 400, body: { code: 'no_image' } });
    const proto = '--x\r\ncontent-disposition: form-data; name="__proto__"\r\n\r\n1\r\n--x--\r\n';
    expect((await raw(proto)).status).toBe(400);
    const most = form(...Array.from({ length: 5 }, (): [Buffer, string] => [Buffer.alloc(1_990_000), 'x']));
    expect(await post(most)).toMatchObject({ status: 413, body: { code: 'form_too_large' } });
  });
});

describe('a client of the sister system', () => {
  const send = (body: Buffer, name?: string, more = {}) =>
    post(body, { path: '/', ...(name !== undefined && { img_name: name }), ...more });

  it('posts to / with img_name, and gets a 201', async () => {
    const bytes = await image();
    const { status, body } = await send(bytes, 'apple 1.jpg', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(status).toBe(201);
    strictly(schemas.accepted, body);
    expect(body.imageKey).toMatch(/\/apple 1\.jpg$/);
    expect(await world.store.get(body.imageKey, { maxBytes: 1e6 })).toEqual(bytes);
    expect(await messageOf(body.id)).toHaveLength(1);
  });

  it('gets a 400 with the reason for what is no image, by name or by content', async () => {
    expect(await send(jpeg, 'setup.exe')).toMatchObject({
      status: 400,
      body: { detail: '.exe files are not images' },
    });
    expect(await send(Buffer.from('MZ\x90 this program'), 'setup.jpg')).toMatchObject({
      status: 400,
      body: { code: 'not_an_image' },
    });
    expect(await send(Buffer.alloc(0), 'a.jpg')).toMatchObject({ status: 400, body: { code: 'empty' } });
    expect(await send(jpeg)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await send(jpeg.subarray(0, 3), 'a.jpg')).toMatchObject({ status: 400 });
  });
});

describe('a Content-Type that says nothing', () => {
  it.each(['', ' ', '""', '"image/jpeg"', 'jpeg', 'undefined', '/', 'image/', ';q=1', 'a b/c'])(
    '%j counts as absent',
    async (type) => {
      const taken = await postTyped('/v1/images', type, await image());
      expect(taken).toMatchObject({ status: 202, body: { status: 'pending' } });
      const original = await postTyped('/', type, await image(), { img_name: 'a.jpg' });
      expect(original).toMatchObject({ status: 201 });
      expect(await postTyped('/v1/images', type, Buffer.from('no image'))).toMatchObject({
        status: 415,
        body: { code: 'not_an_image', hint: expect.any(String) as string },
      });
      expect(await postTyped('/v1/corrections', type, Buffer.from('{}'))).toMatchObject({
        status: 415,
        body: { code: 'invalid_request', hint: 'Send content-type: application/json.' },
      });
    },
  );

  /** `fetch` sends no such header. */
  async function postTyped(path: string, type: string, bytes: Buffer, more = {}) {
    const asking = plainRequest(main.url + path, {
      method: 'POST',
      headers: { 'content-type': type, 'content-length': bytes.length, ...more },
    });
    asking.end(bytes);
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: await json(response) };
  }
});

describe('what is not taken', () => {
  it.each([
    ['text', 415, { 'content-type': 'text/html' }, '<html>'],
    ['JSON', 415, { 'content-type': 'application/json' }, '{}'],
    ['an archive', 415, { 'content-type': 'image/jpeg' }, 'PK\x03\x04 zip'],
    ['a compressed body', 415, { 'content-encoding': 'gzip' }, '\x1f\x8b'],
    ['a drawing', 415, {}, '<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['nothing', 400, {}, ''],
    ['a broken header', 422, {}, '\xff\xd8\xff\xe0 broken'],
    ['too much', 413, {}, `\xff\xd8\xff${' '.repeat(2_000_001)}`],
    ['a belt of control characters', 400, { 'visionscale-belt': 'a\tb' }, 'x'],
    ['a long belt', 400, { 'visionscale-belt': 'x'.repeat(257) }, 'x'],
    ['no time', 400, { 'visionscale-captured-at': 'yesterday' }, 'x'],
    ['a word and a number', 400, { 'visionscale-captured-at': 'camera 5' }, 'x'],
    ['a day that there is not', 400, { 'visionscale-captured-at': '2026-02-30T10:00:00Z' }, 'x'],
    ['digits of no time', 400, { 'visionscale-captured-at': '20261128' }, 'x'],
    ['no key', 400, { 'idempotency-key': 'two words' }, 'x'],
  ])('%s is a %i', async (_, status, headers, body) => {
    const before = (await world.messages()).length;
    expect((await post(Buffer.from(body, 'latin1'), headers)).status).toBe(status);
    expect(await world.messages()).toHaveLength(before);
  });

  it('other methods, paths and questions are refused in the same form', async () => {
    expect((await ask('/v1/images', { method: 'DELETE' })).headers.get('allow')).toBe('POST');
    expect((await ask('/v1/results', { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await ask('/v1/nothing')).status).toBe(404);
    expect(await ask('/%zz')).toMatchObject({ status: 400, body: { code: 'bad_request' } });
    expect((await ask('/v1/images?wait=1h', { method: 'POST' })).status).toBe(400);
    for (const query of [
      'limit=0',
      'limit=501',
      'limit=x',
      'below=x',
      'unknown=yes',
      'since=soon',
      'cursor=x',
      'colour=red',
      'category=a&category=b',
    ]) {
      expect((await ask(`/v1/results?${query}`)).status).toBe(400);
    }
    expect((await ask('/v1/results/stream?after=x')).status).toBe(400);
  });

  it('a body of 2 GB is refused before it is sent', async () => {
    const answer = await new Promise<{ status: number | undefined; sent: number }>((resolve, reject) => {
      let sent = 0;
      const asking = plainRequest(
        `${main.url}/v1/images`,
        { method: 'POST', headers: { 'content-length': 2e9 } },
        (response) => {
          response.resume();
          resolve({ status: response.statusCode, sent });
          asking.destroy();
        },
      );
      asking.on('error', reject);
      const more = () => {
        while (!asking.destroyed && asking.write(Buffer.alloc(65_536))) sent += 65_536;
      };
      asking.on('drain', more);
      more();
    });
    expect(answer.status).toBe(413);
    expect(answer.sent).toBeLessThan(20e6);
  });

  it('who asks before sending is told to go on only where the body is wanted', async () => {
    const ask100 = (length: number) =>
      new Promise<string>((resolve, reject) => {
        const headers = { expect: '100-continue', 'content-length': length };
        const asking = plainRequest(`${main.url}/v1/images`, { method: 'POST', headers });
        asking.on('continue', () => {
          resolve('continue');
          asking.destroy();
        });
        asking.on('response', (response) => {
          resolve(String(response.statusCode));
          asking.destroy();
        });
        asking.on('error', reject);
        asking.flushHeaders();
      });
    expect(await ask100(1000)).toBe('continue');
    expect(await ask100(3_000_000)).toBe('413');
  });
});

describe('names', () => {
  /** As bytes on the wire: no client library would send some of these. */
  const raw = (head: string, body: Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port, hostname } = new URL(main.url);
      const socket = connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer.split('\r\n')[0]!));
      socket.on('error', reject);
      socket.write(
        `POST ${head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      socket.write(body);
    });

  it('that would lead elsewhere change nothing outside', async () => {
    const outside = (files: string[]) => files.filter((file) => !file.startsWith('store/http'));
    const before = outside(await world.files());
    const names = [
      '../../x',
      '%2e%2e/%2e%2e/x',
      '..\\..\\x',
      '/etc/passwd',
      'x'.repeat(4096),
      '.',
      '..',
      'CON',
      '~/x',
      'a:b',
    ];
    await Promise.all(
      names.flatMap((name) => [
        expect(raw(`/v1/images HTTP/1.1\r\nvisionscale-image-name: ${name}`, jpeg)).resolves.toMatch(/ 202 /),
        expect(raw(`/ HTTP/1.1\r\nimg_name: ${name}.jpg`, jpeg)).resolves.toMatch(/ 201 /),
      ]),
    );
    for (const name of ['a\0b', 'a\x01b', 'a\x7fb']) {
      expect(await raw(`/v1/images HTTP/1.1\r\nvisionscale-image-name: ${name}`, jpeg)).toMatch(
        / (400|202) /,
      );
    }
    expect(await raw(`/v1/images HTTP/1.1\r\nvisionscale-image-name: ${'x'.repeat(20_000)}`, jpeg)).toMatch(
      / 431 /,
    );
    expect(await raw('/v1/../../x HTTP/1.1', jpeg)).toMatch(/ 404 /);
    expect(outside(await world.files())).toEqual(before);
    // What is in the store lies where its key says: http/<day>/<id>/<name>.
    const stored = (await world.files()).filter((file) => file.startsWith('store/http/'));
    for (const file of stored) expect(file.split('/').length).toBeLessThanOrEqual(5);
  });
});

describe('overload', () => {
  it('beyond what is in flight senders are told when to come again, one sender at half of it', async () => {
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let stored = 0;
    const put: Served['store']['put'] = async (...args) => {
      stored++;
      await held;
      await world.store.put(...args);
    };
    const [a, b, c] = [newToken(), newToken(), newToken()];
    const tokens = parseTokens([a, b, c].map((token, n) => tokenEntry(`sender-${n}`, token)).join());
    const slow = await world.open({ maxInFlight: 3, tokens }, { store: { ...storeOf(world), put } });
    const send = async (token: string) =>
      post(await image(), { server: slow, authorization: `Bearer ${token}` });
    const refused = async (token: string) => {
      const { status, headers, body } = await send(token);
      expect([status, headers.get('retry-after')]).toEqual([429, '1']);
      return body;
    };
    const first = [send(a), send(a)];
    while (stored < 2) await sleep(1);
    expect(await refused(a)).toMatchObject({ detail: expect.stringContaining('this sender has') as string });
    first.push(send(b));
    while (stored < 3) await sleep(1);
    expect(await refused(c)).toMatchObject({ detail: expect.stringContaining('the server has') as string });
    release();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([202, 202, 202]);
    expect((await send(a)).status).toBe(202);
  });

  it('whoever stalls gives way to others who send', { timeout: 60_000 }, async () => {
    const sockets = Array.from({ length: 6 }, () => begin(main, 1_900_000, 1_500_000));
    // As much as one sender may have is taken; which of them are refused at once is chance.
    await Promise.race(sockets.map(({ answered }) => answered));
    for (;;) {
      const { status } = await post(await image());
      if (status === 202) break;
      expect(status).toBe(429);
    }
    const large = Buffer.concat([await image(), Buffer.alloc(1_800_000)]);
    for (;;) {
      const { status } = await post(large);
      if (status === 202) break;
      expect(status).toBe(429);
    }
    const dropped = await Promise.any(
      sockets.map(async ({ answered }) => {
        const text = await answered;
        if (!text.startsWith('HTTP/1.1 408')) throw new Error(text);
        return text;
      }),
    );
    expect(dropped).toMatch(/"code":"too_slow"/);
    for (const { socket } of sockets) socket.destroy();
  });

  it('one sender gets no more than its share of the memory, and others theirs', async () => {
    const [a, b] = [newToken(), newToken()];
    const shared = await world.open({ tokens: parseTokens(`${tokenEntry('a', a)},${tokenEntry('b', b)}`) });
    const large = Buffer.concat([await image(), Buffer.alloc(1_800_000)]);
    const sockets = Array.from({ length: 6 }, () =>
      begin(shared, 1_900_000, 1_500_000, `authorization: Bearer ${a}\r\n`),
    );
    expect(await Promise.race(sockets.map(({ answered }) => answered))).toMatch(/^HTTP\/1.1 429/);
    expect((await post(large, { server: shared, authorization: `Bearer ${b}` })).status).toBe(202);
    for (const { socket } of sockets) socket.destroy();
  });

  it('each token has its own rate', async () => {
    const [a, b] = [newToken(), newToken()];
    const tokens = parseTokens(`${tokenEntry('a', a)},${tokenEntry('b', b)}`);
    const limited = await world.open({ rateLimit: 3, tokens });
    const statusOf = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await ask('/v1/bins', { server: limited, headers })).status;
    };
    while ((await Promise.all(Array.from({ length: 10 }, () => statusOf(a)))).every((s) => s === 200));
    // It comes from the same address.
    expect(await statusOf(b)).toBe(200);
  });

  it('one sender gets no more than its rate', async () => {
    const limited = await world.open({ rateLimit: 3 });
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) statuses.push((await ask('/v1/bins', { server: limited })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect((await ask('/healthz', { server: limited })).status).toBe(200);
  });
});

/** An image that is begun and not ended. */
function begin({ url }: Opened, declared: number, bytes: number, headers = '') {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(
    `POST /v1/images HTTP/1.1\r\nhost: localhost\r\n${headers}content-length: ${declared}\r\n\r\n`,
  );
  socket.write(Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(bytes, 0x55)]));
  const answered = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.endsWith('}')) resolve(text);
    });
  });
  return { socket, answered };
}

/** A class instance's methods do not spread. */
function storeOf({ store }: Served): Served['store'] {
  return {
    kind: store.kind,
    url: store.url,
    create: () => store.create(),
    exists: () => store.exists(),
    put: (...args) => store.put(...args),
    get: (...args) => store.get(...args),
    head: (key) => store.head(key),
    remove: (key) => store.remove(key),
    list: (prefix) => store.list(prefix),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

describe('access', () => {
  it('with tokens is for those who have one', async () => {
    const token = newToken();
    const guarded = await world.open({ tokens: parseTokens(tokenEntry('a', token)) });
    const bytes = await image();
    const refused = await post(bytes, { server: guarded });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await post(bytes, { server: guarded, authorization: `Bearer ${token}` })).status).toBe(202);
    expect((await ask('/v1/results', { server: guarded })).status).toBe(401);
    expect((await ask('/v1/nothing', { server: guarded })).status).toBe(401);
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      expect((await ask(path, { server: guarded })).status).toBe(200);
    }
    const { rows } = await world.pool.query('select from ingested where token_name = $1', ['a']);
    expect(rows.length).toBeGreaterThan(0);
  });

  it('with wrong tokens is soon refused without looking further, but the right one is heard', async () => {
    const token = newToken();
    const guarded = await world.open({ tokens: parseTokens(tokenEntry('a', token)) });
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++) {
      const headers = { authorization: `Bearer ${newToken()}` };
      statuses.push((await ask('/v1/bins', { server: guarded, headers })).status);
    }
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(5).fill(429)]);
    const refused = await ask('/v1/bins', { server: guarded });
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([
      429,
      expect.closeTo(60, -2),
    ]);
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask('/v1/bins', { server: guarded, headers })).status).toBe(200);
  });

  it('through a proxy needs tokens', async () => {
    const token = newToken();
    const guarded = await world.open({ tokens: parseTokens(tokenEntry('a', token)) });
    for (const name of ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-proto']) {
      const headers = { [name]: 'for=192.0.2.1', authorization: `Bearer ${token}` };
      const refused = await ask<{ code: string; hint: string }>('/v1/bins', { headers });
      expect([refused.status, refused.body.code, refused.body.hint]).toEqual([
        403,
        'proxied',
        expect.stringContaining('--new-token'),
      ]);
      expect((await post(await image(), { [name]: 'x' })).status).toBe(403);
      expect((await ask('/v1/bins', { headers, server: guarded })).status).toBe(200);
    }
  });

  it('by pages needs leave', async () => {
    const origin = 'http://dashboard.example';
    expect((await ask('/v1/bins', { headers: { origin } })).status).toBe(403);
    const open = await world.open({ corsOrigins: [origin] });
    const answer = await ask('/v1/bins', { headers: { origin }, server: open });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, origin]);
    const preflight = await fetch(`${open.url}/v1/images`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'visionscale-belt',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    expect((await ask('/v1/bins', { headers: { origin: 'http://evil.example' }, server: open })).status).toBe(
      403,
    );
  });

  it('from elsewhere without tokens is for looking only', async () => {
    const open = await world.open({ host: '0.0.0.0' });
    expect(await post(await image(), { server: open })).toMatchObject({
      status: 403,
      body: { code: 'read_only' },
    });
    expect((await ask('/v1/results', { server: open })).status).toBe(200);
    // A name that somebody made lead here: fetch would not send another one.
    expect(await exchange(open, 'GET /v1/results HTTP/1.1\r\nhost: evil.example\r\n\r\n')).toMatch(
      /^HTTP\/1.1 403.*foreign_host/s,
    );
  });
});

/** Writes bytes and reads until the server has closed. */
async function exchange({ url }: Opened, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(text);
  return Buffer.concat(await socket.toArray()).toString('latin1');
}

interface Page {
  results: { id: string; category: string; confidence: number; belt: string | null }[];
  next: string | null;
}

describe('results', () => {
  it('come in pages, latest first, each once', async () => {
    for (let n = 0; n < 25; n++) {
      await world.predict(`page-${n}`, {
        category: `c${n % 2}`,
        confidence: n * 4,
        belt: 'paged',
        bin: n < 5 ? 'x' : 'y',
        novelty: n < 3 ? null : n / 10,
      });
    }
    const ids: string[] = [];
    let path = '/v1/results?belt=paged&limit=10';
    for (let pages = 1; ; pages++) {
      const { body } = await ask<Page>(path);
      strictly(resultPage, body);
      ids.push(...body.results.map(({ id }) => id));
      if (body.next === null) {
        expect(pages).toBe(3);
        break;
      }
      path = `/v1/results?belt=paged&limit=10&cursor=${body.next}`;
      // What comes meanwhile does not shift the pages.
      await world.predict(`late-${pages}`, { belt: 'paged' });
    }
    expect(ids).toEqual(Array.from({ length: 25 }, (_, n) => `page-${24 - n}`));
  });

  it('are filtered', async () => {
    const found = async (query: string) =>
      (await ask<Page>(`/v1/results?belt=paged&limit=500&${query}`)).body.results.length;
    expect(await found('category=c0&until=1970-01-01')).toBe(0);
    expect(await found('category=c0')).toBe(13);
    expect(await found('bin=x')).toBe(5);
    expect(await found('below=40')).toBe(10);
    expect(await found('unknown=true')).toBe(15);
    expect(await found('unknown=false&bin=y')).toBe(5);
    expect(await found('model=m&since=1h')).toBe(27);
    expect(await found('model=other')).toBe(0);
    expect(await found(`since=${encodeURIComponent(new Date(Date.now() + 3_600_000).toISOString())}`)).toBe(
      0,
    );
    expect(await found("category=' or true --")).toBe(0);
  });

  it('are streamed from a place that is told at once: nothing is lost where the stream is, before the first came', async () => {
    const first = await listen('/v1/results/stream?belt=early');
    while (first.lastId === undefined) await first.more();
    first.close();
    await world.predict('early', { belt: 'early' });
    const second = await listen('/v1/results/stream?belt=early', first.lastId);
    expect(await second.ids(1)).toEqual(['early']);
    second.close();
  });

  it('are streamed, and resumed without a gap, even where one commits late', async () => {
    const first = await listen('/v1/results/stream?belt=live');
    const late = await world.pool.connect();
    await late.query('begin');
    await world.predict('live-late', { belt: 'live' }, late);
    for (let n = 0; n < 3; n++) await world.predict(`live-${n}`, { belt: 'live' });
    await world.predict('other', { belt: 'dead' });
    // Were the others handed out now, the late one would be passed by.
    expect(await Promise.race([first.ids(1), sleep(200, 'nothing')])).toBe('nothing');
    await late.query('commit');
    late.release();
    expect(await first.ids(4)).toEqual(['live-late', 'live-0', 'live-1', 'live-2']);
    const seen = first.lastId;
    first.close();
    await world.predict('live-3', { belt: 'live' });
    const second = await listen('/v1/results/stream?belt=live', seen);
    expect(await second.ids(1)).toEqual(['live-3']);
    await world.predict('live-4', { belt: 'live' });
    expect(await second.ids(2)).toEqual(['live-3', 'live-4']);
    second.close();
    const all = await listen(`/v1/results/stream?belt=live&after=0.0`);
    expect(await all.ids(6)).toHaveLength(6);
    all.close();
    const unlike = await listen('/v1/results/stream?belt=live&unknown=true');
    await world.predict('live-5', { belt: 'live', novelty: 0.99 });
    await world.predict('live-6', { belt: 'live', novelty: 1 });
    expect(await unlike.ids(1)).toEqual(['live-6']);
    unlike.close();
  });
});

describe('the stream', () => {
  it('is held open by one sender sixteen times at most', async () => {
    const [a, b] = [newToken(), newToken()];
    const shared = await world.open({ tokens: parseTokens(`${tokenEntry('a', a)},${tokenEntry('b', b)}`) });
    const listenAs = (token: string) =>
      listen('/v1/results/stream', undefined, shared, { authorization: `Bearer ${token}` });
    const open = await Promise.all(Array.from({ length: 16 }, () => listenAs(a)));
    const headers = { authorization: `Bearer ${a}` };
    const refused = await ask<{ code: string }>('/v1/results/stream', { server: shared, headers });
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      429,
      'busy',
      '10',
    ]);
    (await listenAs(b)).close();
    open[0]!.close();
    // The server learns of it when the connection has closed.
    for (;;) {
      const status = (await fetch(`${shared.url}/v1/results/stream`, { headers })).status;
      if (status === 200) break;
    }
    for (const one of open) one.close();
  });
});

/** A listener of the stream. */
async function listen(path: string, lastEventId?: string, server = main, more: Record<string, string> = {}) {
  const over = new AbortController();
  const response = await fetch(server.url + path, {
    signal: over.signal,
    headers: { ...more, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
  });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let reading: Promise<boolean> | undefined;
  // One at a time, for a reader that somebody has given up waiting for.
  const read = () =>
    (reading ??= reader.read().then(({ value, done }) => {
      text += value ?? '';
      reading = undefined;
      return !done;
    }));
  await read();
  return {
    async ids(count: number) {
      const found = () =>
        [...text.matchAll(/^data: (.*)$/gm)].map((match) => (JSON.parse(match[1]!) as { id: string }).id);
      while (found().length < count) if (!(await read())) throw new Error(`ended after ${found().length}`);
      return found();
    },
    more: read,
    async end() {
      while (await read());
    },
    get lastId() {
      return [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
    },
    close: () => over.abort(),
  };
}

describe('the server itself', () => {
  it('tells whether it lives and could take images', async () => {
    expect((await ask('/healthz')).body).toEqual({ status: 'ok' });
    const { status, body } = await ask('/readyz');
    strictly(ready, body);
    expect([status, body]).toEqual([
      200,
      { ready: true, draining: false, checks: { database: 'ok', topic: 'ok', store: 'ok' } },
    ]);
    const lost = await world.open({}, { store: { ...storeOf(world), exists: () => Promise.resolve(false) } });
    expect(await ask('/readyz', { server: lost })).toMatchObject({
      status: 503,
      body: { checks: { store: 'store_missing' } },
    });
  });

  it('tells it to probes under any name, through proxies, and without a Host', async () => {
    const elsewhere = await world.open({ host: '0.0.0.0' });
    /** Its own end stays open: an answer that takes a while would be given up with it. */
    const probed = async ({ url }: Opened, text: string) => {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      socket.write(`${text}\r\nconnection: close\r\n\r\n`);
      return Buffer.concat(await socket.toArray()).toString('latin1');
    };
    for (const server of [main, elsewhere]) {
      for (const path of ['/healthz', '/readyz', '/openapi.json']) {
        for (const rest of [
          'HTTP/1.1\r\nhost: vs.default.svc.cluster.local:8080',
          'HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 192.0.2.1',
          'HTTP/1.0',
        ]) {
          expect(await probed(server, `GET ${path} ${rest}`)).toMatch(/^HTTP\/1.1 200 /);
        }
      }
      const foreign = await probed(server, 'GET /v1/bins HTTP/1.1\r\nhost: evil.example');
      expect(foreign).toMatch(/^HTTP\/1.1 403 /);
    }
  });

  it('is not ready on a full disk', async () => {
    // A file system without any room, as every Linux has one.
    const full = '/proc';
    for (const disks of [{ database: full }, { store: full }]) {
      const server = await world.open({}, {}, undefined, { disks });
      const [which] = Object.keys(disks);
      expect(await ask('/readyz', { server })).toMatchObject({
        status: 503,
        body: { ready: false, checks: { [which!]: 'disk_full' } },
      });
    }
    const roomy = await world.open({}, {}, undefined, { disks: { database: world.dir, store: world.dir } });
    expect((await ask('/readyz', { server: roomy })).status).toBe(200);
  });

  it('says on every answer that nothing is to be guessed or kept', async () => {
    const guarded = await world.open({
      tokens: parseTokens(tokenEntry('a', newToken())),
      corsOrigins: ['http://a.example'],
    });
    const answers = [
      ...[
        '/healthz',
        '/readyz',
        '/openapi.json',
        '/v1/bins',
        '/v1/results',
        '/v1/images/x',
        '/nothing',
        '/%zz',
        '/v1/results?limit=x',
      ].map((path) => fetch(main.url + path)),
      fetch(`${main.url}/v1/results`, { method: 'DELETE' }),
      fetch(`${guarded.url}/v1/results`),
      fetch(`${guarded.url}/v1/bins`, {
        method: 'OPTIONS',
        headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' },
      }),
      fetch(`${main.url}/v1/images`, { method: 'POST', body: new Uint8Array(await image()) }),
      fetch(`${main.url}/v1/images`, { method: 'POST', body: 'no image' }),
    ];
    for (const answer of await Promise.all(answers)) {
      const where = `${answer.status} ${answer.url}`;
      expect([where, answer.headers.get('x-content-type-options')]).toEqual([where, 'nosniff']);
      expect([where, answer.headers.get('cache-control')]).toEqual([where, 'no-store']);
    }
    const over = new AbortController();
    const stream = await fetch(`${main.url}/v1/results/stream`, { signal: over.signal });
    expect([stream.headers.get('x-content-type-options'), stream.headers.get('cache-control')]).toEqual([
      'nosniff',
      'no-store',
    ]);
    over.abort();
    const nonsense = await exchange(main, 'GET / HTTP/9.9\r\n\r\n');
    expect(nonsense).toMatch(/^HTTP\/1.1 400.*nosniff.*no-store/s);
  });

  it('takes no request with two hosts', async () => {
    for (const [first, second] of [
      ['localhost', 'localhost'],
      ['localhost', 'evil.example'],
      ['evil.example', 'localhost'],
    ]) {
      for (const line of [
        'GET /healthz',
        'GET /v1/results',
        'OPTIONS /v1/images',
        'GET /nothing',
        'POST /v1/images',
      ]) {
        const text = `${line} HTTP/1.1\r\nhost: ${first}\r\nHOST: ${second}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`;
        expect(await exchange(main, text), line).toMatch(/^HTTP\/1.1 400 .*problem\+json/s);
      }
    }
  });

  it('shows the bins in force and its metrics', async () => {
    const none = await ask('/v1/bins');
    strictly(bins, none.body);
    expect(none.body).toMatchObject({ version: null, rules: null });
    expect((await ask('/metrics')).status).toBe(404);
    const render = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' });
    const metered = await world.open({}, { metrics: { render } });
    const response = await fetch(`${metered.url}/metrics`);
    expect([response.headers.get('content-type'), await response.text()]).toEqual([
      'text/plain; version=0.0.4',
      'up 1\n',
    ]);
  });

  it('describes itself', async () => {
    const { body } = await ask<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
      '/openapi.json',
    );
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/',
        '/healthz',
        '/readyz',
        '/v1/bins',
        '/v1/images',
        '/v1/images/{id}',
        '/v1/results',
        '/v1/results/stream',
      ]),
    );
    expect(body.paths['/v1/images']!['post']).toMatchObject({
      requestBody: { content: { 'multipart/form-data': {} } },
    });
  });

  it('told to stop it says so, finishes what is in flight, and ends streams', async () => {
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = () => undefined as void;
    const putting = new Promise<void>((resolve) => (begun = resolve));
    const stopping = await world.open(
      {},
      {
        store: {
          ...storeOf(world),
          put: async (...args) => {
            begun();
            await held;
            return world.store.put(...args);
          },
        },
      },
    );
    const stream = await listen('/v1/results/stream', undefined, stopping);
    const bytes = await image();
    const inFlight = post(bytes, { server: stopping, path: '/v1/images?wait=30s' });
    await putting;
    stopping.drain();
    expect(await ask('/readyz', { server: stopping })).toMatchObject({
      status: 503,
      body: { draining: true },
    });
    expect((await ask('/v1/bins', { server: stopping })).status).toBe(200);
    const closed = stopping.close();
    await stream.end();
    release();
    const { status, body } = await inFlight;
    expect(status).toBe(202);
    expect(await messageOf(body.id)).toHaveLength(1);
    await closed;
    await expect(fetch(`${stopping.url}/healthz`)).rejects.toThrow();
  });

  it('keeps the promise of its own files', async () => {
    // The same result goes to the results topic: one shape, described once for each.
    const published = JSON.parse(
      await readFile(join(import.meta.dirname, '../../docs/result.schema.json'), 'utf8'),
    ) as { properties: Record<string, unknown> };
    expect(Object.keys(result.shape).toSorted()).toEqual(Object.keys(published.properties).toSorted());
  });
});
