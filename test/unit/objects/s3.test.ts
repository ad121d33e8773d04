/** The S3 store against a server that misbehaves on purpose. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openS3Store, type S3Options } from '../../../src/lib/systems/objects/s3/s3.ts';
import { collect } from '../../contract/objects.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(answer: Answer) {
  let requests = 0;
  const connections = new Set<unknown>();
  const server = createServer((request, response) => {
    requests++;
    answer(request, response);
  });
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    connections: () => connections.size,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'sesame', sessionToken: 'open-token' };
const open = (endpoint: string, more: Partial<S3Options> = {}) =>
  openS3Store({ endpoint, bucket: 'bucket', credentials, requestTimeoutMs: 300, ...more });
const jpeg = { contentType: 'image/jpeg' };

const xml =
  (status: number, code: string, message = 'words') =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  };

describe('S3 store', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    [404, 'NoSuchKey', 'not_found', false],
    [404, 'NoSuchBucket', 'bucket_missing', false],
    [403, 'AccessDenied', 'access_denied', false],
    [403, 'InvalidAccessKeyId', 'access_denied', false],
    [403, 'SignatureDoesNotMatch', 'access_denied', false],
    [403, 'RequestTimeTooSkewed', 'access_denied', false],
    [400, 'ExpiredToken', 'access_denied', false],
    [400, 'KeyTooLongError', 'bad_key', false],
    [400, 'InvalidBucketName', 'refused', false],
    [301, 'PermanentRedirect', 'refused', false],
    [500, 'InternalError', 'unavailable', true],
    [503, 'SlowDown', 'unavailable', true],
    [503, 'ServiceUnavailable', 'unavailable', true],
    [429, 'TooManyRequests', 'unavailable', true],
  ])('takes %i %s for %s', async (status, code, expected, retryable) => {
    await using server = await serve(xml(status, code));
    await using store = open(server.endpoint);
    await expect(store.get('x.jpg', { maxBytes: 10 })).rejects.toMatchObject({ code: expected, retryable });
    expect(server.requests()).toBe(retryable ? 3 : 1);
  });

  describe('GET after the first, without the layers of the SDK', () => {
    const quick = ({ headers }: IncomingMessage) => !('amz-sdk-request' in headers);
    const read = { maxBytes: 10 };

    it('asks for the same, signed, over the same connection', async () => {
      const seen: { quick: boolean; url: string | undefined; signed: boolean; token: unknown }[] = [];
      await using server = await serve((request, response) => {
        const { headers, url } = request;
        const signed = /^AWS4-HMAC-SHA256 .*Signature=[0-9a-f]{64}$/.test(headers.authorization ?? '');
        seen.push({ quick: quick(request), url, signed, token: headers['x-amz-security-token'] });
        response.end('x');
      });
      await using store = open(server.endpoint, { prefix: 'folder' });
      for (const key of ['plain.jpg', "belt 1/é+%!'()*.jpg", "belt 1/é+%!'()*.jpg"])
        expect((await store.get(key, read)).toString()).toBe('x');
      await using fresh = open(server.endpoint, { prefix: 'folder' });
      await fresh.get("belt 1/é+%!'()*.jpg", read);
      expect(seen.map(({ quick }) => quick)).toEqual([false, true, true, false]);
      // What the SDK itself makes of the key, but for its own parameter.
      expect(seen[3]!.url).toBe(`${seen[1]!.url}?x-id=GetObject`);
      expect(seen.every(({ signed, token }) => signed && token === credentials.sessionToken)).toBe(true);
      expect(server.connections()).toBe(2);
    });

    it.each([
      ['404', 404, [1, 1]],
      ['403, and no more after a few', 403, [1, 0]],
    ])('leaves what is not the object to the SDK: %s', async (_, status, [first, later]) => {
      let asked = 0;
      let there = true;
      await using server = await serve((request, response) => {
        if (quick(request)) asked++;
        if (there || (status === 403 && !quick(request))) response.end('x');
        else xml(status, status === 404 ? 'NoSuchKey' : 'AccessDenied')(request, response);
      });
      await using store = open(server.endpoint);
      await store.get('x.jpg', read);
      there = false;
      const get = () => store.get('x.jpg', read).then(String, (error: { code: string }) => error.code);
      for (const expected of [first, first, first, later]) {
        asked = 0;
        expect([await get(), asked]).toEqual([status === 404 ? 'not_found' : 'x', expected]);
      }
    });

    it('is the SDK’s to try again where the connection fails', async () => {
      let asked = 0;
      await using server = await serve((request, response) => {
        asked++;
        if (quick(request)) request.socket.destroy();
        else response.end('x');
      });
      await using store = open(server.endpoint);
      await store.get('x.jpg', read);
      expect((await store.get('x.jpg', read)).toString()).toBe('x');
      expect(asked).toBe(3);
    });

    it('ends with its signal', async () => {
      const stop = new AbortController();
      await using server = await serve((request, response) => {
        if (quick(request)) stop.abort(new Error('enough'));
        else response.end('x');
      });
      await using store = open(server.endpoint);
      await store.get('x.jpg', read);
      await expect(store.get('x.jpg', { ...read, signal: stop.signal })).rejects.toThrow('enough');
    });
  });

  describe('PUT after the first, without the layers of the SDK', () => {
    const quick = ({ headers }: IncomingMessage) => !('amz-sdk-request' in headers);
    const body = Buffer.from('a picture');
    const sha256 = createHash('sha256').update(body).digest('hex');
    const options = { ...jpeg, sha256 };
    const received = async (request: IncomingMessage) => Buffer.concat(await request.toArray()).toString();

    it('sends the same, signed, over the same connection', async () => {
      const seen: Record<string, unknown>[] = [];
      await using server = await serve((request, response) => {
        const { headers, url, method } = request;
        const signed = /^AWS4-HMAC-SHA256 .*Signature=[0-9a-f]{64}$/.test(headers.authorization ?? '');
        const said = ['content-type', 'content-length', 'x-amz-content-sha256', 'x-amz-security-token'];
        const told = said.map((name) => headers[name]);
        void received(request).then((sent) => {
          seen.push({
            quick: quick(request),
            url: url!.replace('?x-id=PutObject', ''),
            method,
            signed,
            told,
            sent,
          });
          response.end();
        });
      });
      await using store = open(server.endpoint, { prefix: 'folder' });
      const key = "belt 1/é+%!'()*.jpg";
      for (let n = 0; n < 3; n++) await store.put(key, body, options);
      await store.put(key, body, jpeg);
      expect(seen.map(({ quick }) => quick)).toEqual([false, true, true, false]);
      for (const one of seen) expect({ ...one, quick: false }).toEqual(seen[0]);
      expect(seen[0]).toMatchObject({
        method: 'PUT',
        signed: true,
        told: ['image/jpeg', '9', sha256, credentials.sessionToken],
        sent: 'a picture',
      });
      expect(server.connections()).toBe(1);
    });

    it.each([
      [
        'an answer',
        (request: IncomingMessage, response: ServerResponse) => xml(500, 'InternalError')(request, response),
      ],
      ['a broken connection', (request: IncomingMessage) => void request.socket.destroy()],
    ])('is the SDK’s to try again after %s', async (_, fail) => {
      const seen: boolean[] = [];
      await using server = await serve((request, response) => {
        seen.push(quick(request));
        if (quick(request)) fail(request, response);
        else response.end();
      });
      await using store = open(server.endpoint);
      for (let n = 0; n < 2; n++) await store.put('x.jpg', body, options);
      expect(seen).toEqual([false, true, false]);
    });

    it('is left to the SDK after a few refusals', async () => {
      const seen: boolean[] = [];
      await using server = await serve((request, response) => {
        seen.push(quick(request));
        if (quick(request)) xml(403, 'AccessDenied')(request, response);
        else response.end();
      });
      await using store = open(server.endpoint);
      for (let n = 0; n < 6; n++) await store.put('x.jpg', body, options);
      expect(seen.filter(Boolean)).toHaveLength(3);
      expect(seen.filter((one) => !one)).toHaveLength(6);
    });

    it('is left to the SDK where that sends a checksum beside the body', async () => {
      vi.stubEnv('AWS_REQUEST_CHECKSUM_CALCULATION', 'WHEN_SUPPORTED');
      const seen: boolean[] = [];
      await using server = await serve((request, response) => {
        seen.push(quick(request));
        response.end();
      });
      vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint);
      const { endpoint: _, ...rest } = { endpoint: '', bucket: 'bucket', credentials };
      await using store = openS3Store({ ...rest, region: 'us-east-1', forcePathStyle: true });
      for (let n = 0; n < 2; n++) await store.put('x.jpg', body, options);
      expect(seen).toEqual([false, false]);
    });
  });

  describe('an object with a Content-Encoding', () => {
    const picture = Buffer.from('a picture, '.repeat(50));
    const put =
      (encoding: string, body: Buffer) =>
      (_: IncomingMessage, response: ServerResponse): void => {
        response.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length });
        response.end(body);
      };

    it.each([
      ['gzip', gzipSync(picture)],
      ['GZIP', gzipSync(picture)],
      ['x-gzip', gzipSync(picture)],
      ['aws-chunked,gzip', gzipSync(picture)],
      ['deflate', deflateSync(picture)],
      ['deflate', deflateRawSync(picture)],
      ['br', brotliCompressSync(picture)],
      ['deflate, gzip', gzipSync(deflateSync(picture))],
      ['identity', picture],
      ['aws-chunked', picture],
      ['', picture],
      // Somebody on the way has decoded it.
      ['gzip', picture],
    ])('is read as what was encoded: %s', async (encoding, body) => {
      await using server = await serve(put(encoding, body));
      await using store = open(server.endpoint);
      expect(await store.get('x.jpg', { maxBytes: 1000 })).toEqual(picture);
    });

    it.each([
      ['zstd', picture, 'unsupported_encoding', '"zstd"'],
      ['gzip, gzip, gzip', picture, 'unsupported_encoding', '3 times'],
      ['gzip', gzipSync(picture).subarray(0, -12), 'corrupt', 'not complete gzip'],
      ['br', picture, 'corrupt', 'not complete br'],
      ['gzip', gzipSync(Buffer.alloc(1_000_000)), 'too_large', '2000 allowed'],
      ['br', brotliCompressSync(Buffer.alloc(10_000_000)), 'too_large', '2000 allowed'],
      ['gzip, gzip', gzipSync(gzipSync(Buffer.alloc(100_000))), 'too_large', '2000 allowed'],
    ])('is refused for itself where it cannot be: %s', async (encoding, body, code, said) => {
      await using server = await serve(put(encoding, body));
      await using store = open(server.endpoint);
      await expect(store.get('x.jpg', { maxBytes: 2000 })).rejects.toMatchObject({
        code,
        retryable: false,
        message: expect.stringContaining(said) as string,
      });
    });

    it('is admitted with what may come out of it', async () => {
      const admitted: number[] = [];
      const admit = (bytes: number) => Promise.resolve(void admitted.push(bytes));
      const body = gzipSync(picture);
      await using server = await serve(put('gzip', body));
      await using store = open(server.endpoint);
      await store.get('x.jpg', { maxBytes: 1000, admit });
      expect(admitted).toEqual([body.length + 1000]);
    });
  });

  it('names the endpoint and no secret', async () => {
    await using server = await serve(xml(500, 'InternalError'));
    await using store = open(server.endpoint);
    const error: unknown = await store.get('x.jpg', { maxBytes: 10 }).catch((thrown: unknown) => thrown);
    expect(error).toHaveProperty('message', expect.stringContaining(server.endpoint));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/sesame|open-token|AWS4-HMAC/i);
  });

  it('tells of the ListBucket right where a missing object is denied', async () => {
    await using server = await serve(xml(403, 'AccessDenied'));
    await using store = open(server.endpoint);
    await expect(store.get('x.jpg', { maxBytes: 10 })).rejects.toHaveProperty(
      'hint',
      expect.stringContaining('s3:ListBucket'),
    );
  });

  it('says unavailable when nobody listens, and when the name leads nowhere', async () => {
    const server = await serve(() => undefined);
    await server[Symbol.asyncDispose]();
    for (const endpoint of [server.endpoint, 'http://nowhere.invalid']) {
      await using store = open(endpoint);
      const calls = [
        () => store.get('x', { maxBytes: 1 }),
        () => store.put('x', Buffer.from('x'), jpeg),
        () => store.exists(),
        () => store.exists({ quick: true }),
      ];
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({
          code: 'unavailable',
          retryable: true,
          message: expect.stringContaining(endpoint) as string,
        });
      }
    }
  });

  it('says what to set where there are no credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'])
      vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/dev/null');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    await using store = openS3Store({ endpoint: 'http://127.0.0.1:9', bucket: 'bucket' });
    await expect(store.get('x.jpg', { maxBytes: 10 })).rejects.toMatchObject({
      code: 'no_credentials',
      retryable: false,
      hint: expect.stringContaining('AWS_ACCESS_KEY_ID') as string,
    });
  });

  it('gives up on a server that never answers', async () => {
    await using server = await serve((request) => request.resume());
    await using store = open(server.endpoint);
    await expect(store.get('x.jpg', { maxBytes: 10 })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    await expect(store.put('x.jpg', Buffer.alloc(10), jpeg)).rejects.toMatchObject({ code: 'unavailable' });
    expect(server.requests()).toBe(6);
  });

  it('gives up on a body that stalls, and on one that breaks off', async () => {
    await using stalling = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half of it');
    });
    await using stalled = open(stalling.endpoint);
    await expect(stalled.get('x.jpg', { maxBytes: 100 })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });

    await using breaking = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half of it', () => response.destroy());
    });
    await using broken = open(breaking.endpoint);
    await expect(broken.get('x.jpg', { maxBytes: 100 })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });

  it('stops while a body is read', async () => {
    const abort = new AbortController();
    await using server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half of it', () => abort.abort(new Error('enough')));
    });
    await using store = open(server.endpoint, { requestTimeoutMs: 30_000 });
    await expect(store.get('x.jpg', { maxBytes: 100, signal: abort.signal })).rejects.toThrow('enough');
  });

  it('counts while it reads where the length is not told, and frees the connection', async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200); // chunked
      response.end(Buffer.alloc(200_000, 'x'));
    });
    await using store = open(server.endpoint);
    for (let count = 0; count < 60; count++) {
      await expect(store.get('x.jpg', { maxBytes: 100_000 })).rejects.toMatchObject({ code: 'too_large' });
    }
    expect(await store.get('x.jpg', { maxBytes: 200_000 })).toHaveLength(200_000);
    expect(server.connections()).toBeLessThan(5);
  });

  it('leaves no listeners on the signal', async () => {
    await using server = await serve((_, response) => void response.end('x'));
    await using store = open(server.endpoint);
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    let listeners = 0;
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
    for (let count = 0; count < 50; count++) await store.get('x.jpg', { maxBytes: 10, signal });
    expect(listeners).toBeLessThanOrEqual(1); // the last request may be closing still
  });

  it('reads listings that are URL-encoded, page by page, and leaves out what no key names', async () => {
    const pages = [
      ['odd/a+b%2Bc%20d%25.jpg', 'odd/%E6%97%A5%EF%BF%BE.jpg', 'odd/folder/', 'odd/a%01b'],
      ['odd/z.jpg'],
    ];
    const asked: URLSearchParams[] = [];
    await using server = await serve((request, response) => {
      const query = new URL(request.url ?? '', 'http://host').searchParams;
      asked.push(query);
      const second = query.get('continuation-token') === 'next&';
      const contents = pages[second ? 1 : 0]!.map(
        (key) => `<Contents><Key>${key}</Key><Size>7</Size></Contents>`,
      );
      response.end(
        `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${!second}</IsTruncated>` +
          `${second ? '' : '<NextContinuationToken>next&amp;</NextContinuationToken>'}${contents.join('')}</ListBucketResult>`,
      );
    });
    await using store = open(server.endpoint, { prefix: 'odd' });
    expect((await collect(store.list('x'))).map(({ key }) => key)).toEqual([
      'a b+c d%.jpg',
      '日\ufffe.jpg',
      'z.jpg',
    ]);
    expect(asked.map((query) => query.get('prefix'))).toEqual(['odd/x', 'odd/x']);
    expect(asked[0]!.get('encoding-type')).toBe('url');
  });

  it('names the region where it makes a bucket outside us-east-1, and never us-east-1', async () => {
    const bodies: string[] = [];
    const answer: Answer = (request, response) => {
      if (request.method === 'GET') return xml(404, 'NoSuchBucket')(request, response);
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        bodies.push(body);
        response.end();
      });
    };
    await using server = await serve(answer);
    for (const region of [undefined, 'eu-central-1']) {
      await using store = open(server.endpoint, region === undefined ? {} : { region });
      expect(await store.create()).toEqual({ created: true });
    }
    expect(bodies[0]).not.toContain('LocationConstraint');
    expect(bodies[1]).toContain('<LocationConstraint>eu-central-1</LocationConstraint>');
  });

  it.each([
    ['BucketAlreadyOwnedByYou', { created: false }],
    ['BucketAlreadyExists', undefined],
  ])('where another host makes the bucket meanwhile: %s', async (code, expected) => {
    await using server = await serve((request, response) =>
      xml(request.method === 'GET' ? 404 : 409, request.method === 'GET' ? 'NoSuchBucket' : code)(
        request,
        response,
      ),
    );
    await using store = open(server.endpoint);
    if (expected) expect(await store.create()).toEqual(expected);
    else await expect(store.create()).rejects.toMatchObject({ code: 'access_denied', retryable: false });
  });

  it('counts its prefix towards the length of keys', async () => {
    await using store = open('http://127.0.0.1:9', { prefix: 'p'.repeat(20) });
    await expect(store.get('k'.repeat(1010), { maxBytes: 1 })).rejects.toMatchObject({ code: 'bad_key' });
  });
});
