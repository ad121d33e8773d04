/** Any bytes in: requests or a dead letter out, never a throw, and whatever comes out can be recorded and retried. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordable, recordableHeaders } from '../../../src/lib/systems/database/record/outcome-rows.ts';
import { parseMessage } from '../../../src/lib/systems/message/parse.ts';
import { header, type TopicRecord } from '../../../src/lib/systems/message/record.ts';
import { maxRequestIdBytes } from '../../../src/lib/systems/message/request.ts';
import { retryMessage, retryNumber } from '../../../src/lib/systems/message/retry.ts';
import type { MessageRules } from '../../../src/lib/systems/message/rules.ts';
import { objectKeyFault } from '../../../src/lib/systems/objects/store.ts';
import { fromKafkaHeaders, toKafkaHeaders } from '../../../src/lib/systems/topic/kafka/client.ts';
import { checkHeaders } from '../../../src/lib/systems/topic/limits.ts';
import { numRuns } from '../../support/thorough.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const awkward = fc.constantFrom(
  '', '\0', 'a\0b', '\ud800', '\udfff x', '\ufeff', '../x', '/x', 'a//b', 'x'.repeat(1024), 'ü'.repeat(1024),
  '{"Records":[]}', '1e400', '99999999999999999', '0', '-1', '9'.repeat(400), '2026-13-45', 'text/plain', 'TEXT/PLAIN;',
); // prettier-ignore
const text = fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 1200 }));
/** Parts of S3 events and envelopes: mostly right, sometimes anything. */
const anything = fc.oneof(text, fc.integer(), fc.constant(null), fc.anything({ maxDepth: 1 }));
const mostly = (...good: unknown[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: anything });
const bucket = mostly('photos', 'photos', 'other', 'elsewhere');
const key = mostly(
  'a+b%20c.jpg',
  '100%',
  'in/a.jpg',
  'in/',
  'in/.visionscale/x',
  '../x',
  'größe',
  'k'.repeat(1024),
);
const eventRecord = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      eventName: mostly('ObjectCreated:Put', 's3:ObjectCreated:Copy', 'ObjectRemoved:Delete'),
      eventTime: mostly('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.123Z', undefined),
      s3: fc.record({
        configurationId: mostly('x', 'webhook-global', undefined),
        bucket: fc.record({ name: bucket }),
        object: fc.record({
          key,
          sequencer: mostly('0055AED6DCD90281E5', '1', undefined),
          eTag: mostly('"d41d8cd98f00b204e9800998ecf8427e"', null),
          versionId: mostly('v', null),
        }),
      }),
    }),
  },
  { weight: 1, arbitrary: anything },
);
const json = fc
  .oneof(
    { weight: 3, arbitrary: fc.record({ Records: fc.array(eventRecord, { maxLength: 4 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        visionscale: mostly(1),
        imageKey: key,
        id: mostly('mine', undefined),
        bucket: fc.oneof(bucket, fc.constant(undefined)),
        capturedAt: mostly('2026-01-01T00:00:00Z', 1e12),
        belt: mostly('north'),
        traceparent: mostly('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
      }),
    },
    { weight: 1, arbitrary: fc.dictionary(text, anything, { maxKeys: 3 }) },
  )
  .map((object) =>
    Buffer.from(JSON.stringify(object, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v))),
  );
const value = fc.option(
  fc.oneof(
    bytes(1500),
    { weight: 4, arbitrary: json },
    text.map((t) => Buffer.from(t)),
    // Photographs begin like this.
    bytes(200).map((b) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), b])),
  ),
);
const name = fc.oneof(fc.constantFrom(...Object.values(header), '', '__proto__'), text);
const headers = fc.oneof(
  // As strings, also such as no UTF-8 can bring; and as bytes through what reads Kafka's.
  fc.dictionary(name, text, { maxKeys: 8 }),
  fc
    .array(fc.tuple(name, bytes(1200)), { maxLength: 8 })
    .map((list) => fromKafkaHeaders(list.map(([n, b]) => ({ [n]: b })))),
);
const record: fc.Arbitrary<TopicRecord> = fc.record({
  topic: fc.constant('visionscale.images'),
  partition: fc.nat(10_000),
  offset: fc.nat(),
  timestamp: fc.oneof(fc.constantFrom(-1, 0, 1_700_000_000_000), fc.integer()),
  key: fc.option(fc.oneof(bytes(2000), text.map((t) => Buffer.from(t)))),
  value,
  headers,
}); // prettier-ignore
const rules: fc.Arbitrary<MessageRules> = fc.record({
  store: fc.option(fc.record({ bucket: fc.constant('photos'), prefix: fc.constantFrom('', 'in', 'in') })),
  buckets: fc.subarray(['other', 'photos']),
  eventKeys: fc.constantFrom('auto' as const, 'raw' as const, 'encoded' as const),
});

/** PostgreSQL takes it as text, and an index takes it. */
function expectText(value: string, maxBytes: number): void {
  expect(value).not.toContain('\0');
  expect(value.isWellFormed()).toBe(true);
  expect(Buffer.byteLength(value)).toBeLessThanOrEqual(maxBytes);
}

function expectId(id: string): void {
  expectText(id, maxRequestIdBytes);
  expect(id).not.toBe('');
}

function expectTold({ belt, traceparent }: { belt: string | null; traceparent: string | null }): void {
  if (belt !== null) expectText(belt, 256);
  if (traceparent !== null)
    expect(traceparent).toMatch(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
}

const storable = (headers: Record<string, string>) =>
  Object.values(header).every((name) => recordable(headers[name] ?? '') === (headers[name] ?? ''));

describe('parseMessage', () => {
  it('makes requests, dead letters or nothing of anything, and whatever it is can be recorded', () => {
    const seen = new Map<string, number>();
    const saw = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(record, rules, (record, rules) => {
        const message = parseMessage(record, rules);
        saw(message.kind);
        if (message.kind === 'ignored') {
          expect(message.events).toBeGreaterThan(0);
          return;
        }
        if (message.kind === 'unreadable') {
          expectId(message.requestId);
          expectText(message.code, 100);
          expectText(message.reason, 2000);
          expectTold(message);
          return;
        }
        const { requests, refused } = message;
        expect(requests.length + refused.length).toBeGreaterThan(0);
        for (const one of refused) {
          saw(one.code);
          expectId(one.requestId);
          expectText(one.reason, 3000);
          expectTold(one);
          if (one.imageKey !== null) expectText(one.imageKey, 1024);
        }
        for (const request of requests) {
          const { id, imageKey, capturedAt, bucket, inline } = request;
          expectId(id);
          expectTold(request);
          expectText(imageKey, 1024);
          expect(objectKeyFault(imageKey)).toBeUndefined();
          expect([null, ...rules.buckets]).toContain(bucket);
          saw(inline !== null ? 'an image' : bucket !== null ? 'a bucket' : 'a key');
          if (id.startsWith('s3:')) saw('an event');
          if (inline !== null) expect(inline).toBe(record.value);
          // A year that timestamptz holds.
          if (capturedAt !== null)
            expect(new Date(capturedAt).toISOString()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        }
        expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length);
      }),
      { numRuns: 1000 }, // fewer might not make each of what follows
    );
    // What is not made is not tested.
    for (const what of ['requests', 'unreadable', 'ignored', 'a key', 'an image', 'a bucket', 'an event', 'bad_key', 'unreadable_message', 'bucket_not_allowed', 'outside_store']) expect([what, seen.get(what) ?? 0]).toEqual([what, expect.toSatisfy((n: number) => n > 0)]); // prettier-ignore
  });

  it('knows a retry again: the same request, and the number of attempts it follows', () => {
    fc.assert(
      fc.property(record, rules, fc.integer({ min: 1, max: 999_999_999 }), (record, rules, attempts) => {
        // The table keeps these as other text.
        fc.pre(storable(record.headers));
        const message = parseMessage(record, rules);
        if (message.kind === 'ignored') return;
        const asked =
          message.kind === 'unreadable'
            ? [{ requestId: message.requestId, alone: null, expected: message }]
            : [
                ...message.requests.map((one) => ({ requestId: one.id, alone: one.alone, expected: { ...message, requests: [{ ...one, alone: null }], refused: [], ignored: 0 } })),
                ...message.refused.map((one) => ({ requestId: one.requestId, alone: one.alone, expected: { ...message, requests: [], refused: [{ ...one, alone: null }], ignored: 0 } })),
              ]; // prettier-ignore
        for (const { requestId, alone, expected } of asked) {
          const letter = {
            requestId,
            attempts,
            // As the table gives them back.
            headers: recordableHeaders(record.headers),
            key: record.key,
            value: alone ?? record.value,
          };
          const sent = retryMessage(letter);
          checkHeaders([sent]);
          const received = { ...record, ...sent, headers: fromKafkaHeaders(toKafkaHeaders(sent.headers)) };
          expect(retryNumber(received.headers)).toBe(attempts);
          // The time of the message is the one thing that is another then, and only whole seconds lean on it.
          expect(parseMessage({ ...received, partition: 77, offset: 1 }, rules)).toEqual(expected);
        }
      }),
      { numRuns: numRuns(400) },
    );
  });
});

it.each(['', '0', '-1', '1.5', ' 1', '1 ', '+1', '1e3', '0x1', '1234567890', 'NaN'])(
  'takes %j for no number of attempts',
  (text) => expect(retryNumber({ [header.retry]: text })).toBeNull(),
);

it('makes text recordable without losing what can be kept', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expectText(recordable(text), Infinity);
      if (!text.includes('\0')) expect(recordable(text)).toBe(text);
    }),
  );
  expect(recordable('a\0b\ud800')).toBe('a\\0b\ufffd');
});
