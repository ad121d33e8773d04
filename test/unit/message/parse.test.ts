/** What each kind of message asks for, told apart in the order that the design fixes. */
import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../../src/lib/systems/message/parse.ts';
import { header, type TopicRecord } from '../../../src/lib/systems/message/record.ts';
import { producedRequestId } from '../../../src/lib/systems/message/request.ts';
import type { MessageRules } from '../../../src/lib/systems/message/rules.ts';

const asked = {
  id: 't/1/7@1700000000000',
  bucket: null,
  inline: null,
  capturedAt: null,
  belt: null,
  traceparent: null,
  alone: null,
};

function record(
  value: Buffer | string | null,
  headers: Record<string, string> = {},
  key: string | null = null,
): TopicRecord {
  return {
    topic: 't',
    partition: 1,
    offset: 7,
    timestamp: 1_700_000_000_000,
    key: key === null ? null : Buffer.from(key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers,
  };
}

const one = (request: object) => ({
  kind: 'requests',
  requests: [{ ...asked, ...request }],
  refused: [],
  ignored: 0,
});
const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0, 1]);

describe('a bare key', () => {
  it.each(['BMW/1.jpg', 'a b+c %25.png', 'größe/図.webp', '{belt}.jpg', '[1].jpg', 'II*x.png', '%PDF'])(
    'is taken as any tool sends it: %s',
    (key) => expect(parseMessage(record(key))).toEqual(one({ imageKey: key })),
  );

  it('comes with what produce says in headers', () => {
    const headers = {
      [header.requestId]: producedRequestId('a b.jpg', 2),
      [header.capturedAt]: '2026-11-22T10:00:00.000Z',
      [header.belt]: 'north',
      [header.traceparent]: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      [header.contentType]: 'text/plain; charset=utf-8',
    };
    expect(parseMessage(record('a b.jpg', headers))).toEqual(
      one({
        id: 'p:2:a b.jpg',
        imageKey: 'a b.jpg',
        capturedAt: Date.parse('2026-11-22T10:00:00Z'),
        belt: 'north',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      }),
    );
  });

  it('stays one where the content-type says so, though it is JSON', () => {
    expect(parseMessage(record('{"Records":[]}', { [header.contentType]: 'text/plain' }))).toEqual(
      one({ imageKey: '{"Records":[]}' }),
    );
  });
});

describe('a content type', () => {
  const kindOf = (type: string, value: Buffer | string = 'a.jpg') => {
    const message = parseMessage(record(value, { [header.contentType]: type }, 'x.jpg'));
    return message.kind === 'requests' ? message.requests[0]!.imageKey : message.kind;
  };
  it.each(['', ' ', ';', '""', 'null', '; charset=utf-8'])('that says nothing is absent: %j', (type) => {
    expect(kindOf(type)).toBe('a.jpg');
    expect(kindOf(type, jpeg)).toBe('x.jpg');
  });

  it.each([
    ['"text/plain"', '{"a":1}', '{"a":1}'],
    ['"text/plain; charset=utf-8"', '{"a":1}', '{"a":1}'],
    [' "image/jpeg" ', 'a.jpg', 'x.jpg'],
    ['"application/json"', 'a.jpg', 'unreadable'],
    ['"application/octet-stream"', 'a.jpg', 'a.jpg'],
    ['"text/html"', 'a.jpg', 'unreadable'],
  ])('may stand in the quotes of JSON: %s', (type, value, meant) => expect(kindOf(type, value)).toBe(meant));

  it.each(['', 'application/json'])('lets JSON begin with a byte order mark: %j', (type) => {
    const envelope = `\ufeff${JSON.stringify({ visionscale: 1, imageKey: 'marked.jpg' })}`;
    expect(kindOf(type, envelope)).toBe('marked.jpg');
  });

  it('is not needed for the name either: an empty one is absent', () => {
    const named = parseMessage(record(jpeg, { [header.name]: '' }, 'x.jpg'));
    expect(named).toMatchObject({ requests: [{ imageKey: 'x.jpg' }] });
  });
});

describe('a request id that a sender of ours makes of an image', () => {
  const uuid = '01976a3e-8e4c-7abc-8def-0123456789ab';
  const hash = 'ab'.repeat(32);
  const idOf = (headers: Record<string, string>, value: Buffer | string, key: string | null = null) => {
    const message = parseMessage(record(value, headers, key), {
      store: null,
      buckets: ['side'],
      eventKeys: 'auto',
    });
    if (message.kind === 'unreadable') return message.requestId;
    return message.kind === 'requests' ? (message.requests[0]?.id ?? message.refused[0]?.requestId) : null;
  };
  const withId = (id: string) => ({ [header.requestId]: id });
  const envelope = (more: object) => JSON.stringify({ visionscale: 1, ...more });

  it.each([
    ['p:1:a.jpg', 'a.jpg'],
    ['p:0:a:b.jpg', 'a:b.jpg'],
    ['p:12:größe/\u2028.jpg', 'größe/\u2028.jpg'],
    ['p:1:a.jpg', envelope({ imageKey: 'a.jpg' })],
    [`h:${uuid}`, `http/2026-11-22/${uuid}/a.jpg`],
    [`h:${hash}`, `http/2026-11-22/${hash}/a b.jpg`],
    // Made by nobody here.
    ['p:a.jpg', 'b.jpg'],
    ['h:17', 'b.jpg'],
    ['s3:17', 'b.jpg'],
    ['u/1/6@1700000000000', 'b.jpg'],
    ['t/1/6', 'b.jpg'],
  ])('counts for that image: %s', (id, value) => {
    expect(idOf(withId(id), value)).toBe(id);
    const { imageKey = value } = value.startsWith('{') ? (JSON.parse(value) as { imageKey: string }) : {};
    expect(idOf({}, envelope({ imageKey, id }))).toBe(id);
  });

  it.each([
    ['p:1:a.jpg', 'b.jpg'],
    ['p:01:a.jpg', 'a.jpg'],
    ['p:1:', 'a.jpg'],
    ['p:1:a.jpg', '../a.jpg'],
    ['p:1:a.jpg', envelope({ imageKey: 'b.jpg' })],
    ['p:1:a.jpg', envelope({ imageKey: 'a.jpg', bucket: 'side' })],
    ['p:1:a.jpg', envelope({ imageKey: 'a.jpg', bucket: 'third' })],
    ['p:1:a.jpg', envelope({})],
    [`h:${uuid}`, 'a.jpg'],
    [`h:${uuid}`, `http/2026-11-22/${hash}/a.jpg`],
    [`h:${uuid}`, `http/2026-11-22/${uuid}/more/a.jpg`],
    ['s3:side/a.jpg/0055AED6DCD90281E5', 'a.jpg'],
    ['s3:side/a.jpg/0055AED6DCD90281E5', envelope({ imageKey: 'a.jpg', bucket: 'side' })],
    [`s3:sha256:${hash}`, 'a.jpg'],
    ['t/1/6@1700000000000', 'a.jpg'],
    ['t/0/7@1700000000000#3', 'a.jpg'],
  ])('is absent for any other: %s for %s', (id, value) => {
    expect(idOf(withId(id), value)).toBe(asked.id);
    if (value.startsWith('{')) expect(idOf({}, JSON.stringify({ ...JSON.parse(value), id }))).toBe(asked.id);
  });

  it('is absent for an image in the message, other than serve’s', () => {
    expect(idOf(withId('p:1:a.jpg'), jpeg, 'a.jpg')).toBe(asked.id);
    expect(idOf(withId(`h:${uuid}`), jpeg, 'a.jpg')).toBe(asked.id);
    expect(idOf(withId(`h:${uuid}`), jpeg, `http/2026-11-22/${uuid}/a.jpg`)).toBe(`h:${uuid}`);
  });

  it('gives way to the envelope’s where the header’s does not fit', () => {
    expect(idOf(withId('p:1:b.jpg'), envelope({ imageKey: 'a.jpg', id: 'mine' }))).toBe('mine');
    expect(idOf(withId('p:1:a.jpg'), envelope({ imageKey: 'a.jpg', id: 'mine' }))).toBe('p:1:a.jpg');
  });

  it('may be another message’s place in a retry of a dead letter only', () => {
    const id = 't/0/3@1700000000000#2';
    expect(idOf({ ...withId(id), [header.retry]: '1' }, 'a.jpg')).toBe(id);
    expect(idOf({ ...withId(id), [header.retry]: 'x' }, 'a.jpg')).toBe(asked.id);
    expect(idOf({ ...withId('p:1:b.jpg'), [header.retry]: '1' }, 'a.jpg')).toBe(asked.id);
  });
});

describe('a traceparent', () => {
  const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  it.each([
    [`00-${trace}-${span}-01`, `00-${trace}-${span}-01`],
    [`cc-${trace}-${span}-01-what-comes-later`, `cc-${trace}-${span}-01`],
    [`00-${trace}-${span}-01-more`, null],
    [`ff-${trace}-${span}-01`, null],
    [`00-${'0'.repeat(32)}-${span}-01`, null],
    [`00-${trace}-${'0'.repeat(16)}-01`, null],
    [`00-${trace.toUpperCase()}-${span}-01`, null],
    [`00-${trace}-${span}-01\n`, `00-${trace}-${span}-01`],
    ['', null],
  ])('%j is taken as %j', (given, taken) => {
    expect(parseMessage(record('k', { traceparent: given }))).toEqual(
      one({ imageKey: 'k', traceparent: taken }),
    );
  });
});

describe('an image', () => {
  it('is told by its content and named by the message key', () => {
    const message = record(jpeg, {}, 'BMW/1.jpg');
    expect(parseMessage(message)).toEqual(one({ imageKey: 'BMW/1.jpg', inline: message.value }));
  });

  it('is named by its header where there is one', () => {
    const message = record(jpeg, { [header.name]: 'line 1/7.jpg' }, 'line 1');
    expect(parseMessage(message)).toEqual(one({ imageKey: 'line 1/7.jpg', inline: message.value }));
  });

  it('may be called one by its content-type, whatever it turns out to be', () => {
    const message = record('not an image', { [header.contentType]: 'image/jpeg' }, 'x.jpg');
    expect(parseMessage(message)).toEqual(one({ imageKey: 'x.jpg', inline: message.value }));
  });

  it('is looked at as if nothing were said where the type says nothing', () => {
    const message = record(jpeg, { [header.contentType]: 'application/octet-stream' }, 'x.jpg');
    expect(parseMessage(message)).toEqual(one({ imageKey: 'x.jpg', inline: message.value }));
    expect(parseMessage(record('x.jpg', { [header.contentType]: 'application/octet-stream' }))).toEqual(
      one({ imageKey: 'x.jpg' }),
    );
  });

  it.each([null, '', '../../x', 'a\0b', 'x'.repeat(1025), '/etc/passwd'])(
    'is a dead letter where it is named %j',
    (key) => expect(parseMessage(record(jpeg, {}, key))).toMatchObject({ kind: 'unreadable' }),
  );
});

describe('our envelope', () => {
  const envelope = (fields: object) =>
    record(JSON.stringify({ visionscale: 1, imageKey: 'a.jpg', ...fields }));

  it('asks for one image, with what headers would say', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const said = { id: 'mine', belt: 'b', capturedAt: '2026-01-02T03:04:05.678Z', traceparent, later: {} };
    expect(parseMessage(envelope(said))).toEqual(
      one({
        id: 'mine',
        imageKey: 'a.jpg',
        belt: 'b',
        capturedAt: Date.parse('2026-01-02T03:04:05.678Z'),
        traceparent,
      }),
    );
    expect(parseMessage(envelope({ capturedAt: 1_700_000_000_123 }))).toEqual(
      one({ imageKey: 'a.jpg', capturedAt: 1_700_000_000_123 }),
    );
  });

  it('yields to headers, which a gateway may have added', () => {
    const message = envelope({ id: 'inner', belt: 'inner' });
    message.headers = { [header.requestId]: 'outer', [header.belt]: 'outer' };
    expect(parseMessage(message)).toEqual(one({ imageKey: 'a.jpg', id: 'outer', belt: 'outer' }));
  });

  it('may name a bucket', () => {
    const rules: MessageRules = {
      store: { bucket: 'own', prefix: 'in' },
      buckets: ['other'],
      eventKeys: 'auto',
    };
    expect(parseMessage(envelope({ bucket: 'own', imageKey: 'in/a.jpg' }), rules)).toEqual(
      one({ imageKey: 'a.jpg' }),
    );
    expect(parseMessage(envelope({ bucket: 'other' }), rules)).toEqual(
      one({ imageKey: 'a.jpg', bucket: 'other' }),
    );
    expect(parseMessage(envelope({ bucket: 'third' }), rules)).toMatchObject({
      kind: 'requests',
      requests: [],
      refused: [{ code: 'bucket_not_allowed', imageKey: 'a.jpg' }],
    });
  });

  it.each([
    [{ visionscale: 2 }, 'version 1'],
    [{ imageKey: undefined }, 'no imageKey'],
    [{ imageKey: 7 }, 'no imageKey'],
    [{ imageKey: '../a' }, 'imageKey cannot be an image key'],
    [{ bucket: 7 }, 'bucket is not text'],
  ])('is a dead letter with %j', (fields, reason) => {
    expect(parseMessage(envelope(fields))).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringContaining(reason) as string,
    });
  });
});

describe('anything else', () => {
  it.each([
    ['no value', record(null)],
    ['an empty value', record('')],
    ['a path out of the store', record('../../etc/passwd')],
    ['a control character', record('a\nb', {}, 'k')],
    ['bytes that are no image', record(Buffer.from([0xfe, 0xd8, 0xff, 0xe0]), {}, 'k')],
    ['a key too long', record('k'.repeat(1025), {}, 'k')],
    ['another content type', record('a.jpg', { [header.contentType]: 'application/x-thing' }, 'k')],
    ['JSON of another kind', record('{"foo": 1}', {}, 'k')],
    ['JSON that is cut off', record('{"Records": [\n', {}, 'k')],
    ['no JSON where it should be', record('x', { [header.contentType]: 'application/json' }, 'k')],
    ['JSON larger than is read', record(`{"Records":[${' '.repeat(1024 * 1024)}]}`, {}, 'k')],
    ['JSON nested deeply', record(`{"a":${'['.repeat(500_000)}`, {}, 'k')],
    ['white space', record(' '.repeat(5000), {}, 'k')],
  ])('is unreadable: %s', (_, unreadable) => {
    expect(parseMessage(unreadable)).toMatchObject({
      kind: 'unreadable',
      requestId: 't/1/7@1700000000000',
      code: 'unreadable_message',
    });
  });
});
