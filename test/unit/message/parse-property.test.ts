/** Any bytes in: requests or a dead letter out, never a throw, and whatever comes out can be recorded and retried. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { header } from '../../../src/lib/message/headers.ts';
import { parseMessage } from '../../../src/lib/message/parse.ts';
import { maxRequestIdBytes } from '../../../src/lib/message/request.ts';
import { retryMessage, retryNumber } from '../../../src/lib/message/retry.ts';
import { recordable, recordableHeaders } from '../../../src/lib/database/outcome-rows.ts';
import { fromKafkaHeaders, toKafkaHeaders } from '../../../src/lib/topic/kafka/headers.ts';
import { checkHeaders } from '../../../src/lib/topic/limits.ts';
import type { TopicRecord } from '../../../src/lib/topic/topic.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const awkward = fc.constantFrom(
  '', '\0', 'a\0b', '\ud800', '\udfff x', '\ufeff', '../x', '/x', 'a//b', 'x'.repeat(1024), 'ü'.repeat(1024),
  '{"Records":[]}', '1e400', '99999999999999999', '0', '-1', '9'.repeat(400), '2026-13-45', 'text/plain', 'TEXT/PLAIN;',
); // prettier-ignore
const text = fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 1200 }));
const value = fc.option(
  fc.oneof(
    bytes(3000),
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
  key: fc.option(bytes(2000)),
  value,
  headers,
});

/** PostgreSQL takes it as text, and an index takes it. */
function expectText(value: string, maxBytes: number): void {
  expect(value).not.toContain('\0');
  expect(value.isWellFormed()).toBe(true);
  expect(Buffer.byteLength(value)).toBeLessThanOrEqual(maxBytes);
}

describe('parseMessage', () => {
  it('makes requests or a dead letter of anything, and both can be recorded', () => {
    fc.assert(
      fc.property(record, (record) => {
        const message = parseMessage(record);
        if (message.kind === 'unreadable') {
          expectText(message.requestId, maxRequestIdBytes);
          expect(message.requestId).not.toBe('');
          expectText(message.code, 100);
          expectText(message.reason, 2000);
          return;
        }
        expect(message.kind).toBe('requests');
        for (const { id, imageKey, capturedAt, belt } of message.requests) {
          expectText(id, maxRequestIdBytes);
          expect(id).not.toBe('');
          expectText(imageKey, 1024);
          if (belt !== null) expectText(belt, 256);
          // A year that timestamptz holds.
          if (capturedAt !== null)
            expect(new Date(capturedAt).toISOString()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('knows a retry again: the same request, and the number of attempts it follows', () => {
    fc.assert(
      fc.property(record, fc.integer({ min: 1, max: 999_999_999 }), (record, attempts) => {
        // The table keeps these two as other text; nothing but the belt and the time depends on it.
        fc.pre(
          [header.belt, header.capturedAt].every(
            (n) => recordable(record.headers[n] ?? '') === (record.headers[n] ?? ''),
          ),
        );
        const message = parseMessage(record);
        const request = message.kind === 'requests' ? message.requests[0]! : null;
        const requestId = request?.id ?? (message as { requestId: string }).requestId;
        const letter = {
          requestId,
          attempts,
          imageKey: request?.imageKey ?? null,
          // As the table gives them back.
          headers: recordableHeaders(record.headers),
          key: record.key,
          value: record.value,
        };
        const sent = retryMessage(letter);
        checkHeaders([sent]);
        const received = { ...record, ...sent, headers: fromKafkaHeaders(toKafkaHeaders(sent.headers)) };
        expect(retryNumber(received.headers)).toBe(attempts);
        const again = parseMessage({ ...received, partition: 77, offset: 1, timestamp: 5 });
        if (request === null) expect(again).toMatchObject({ kind: 'unreadable', requestId });
        else expect(again).toEqual({ kind: 'requests', requests: [request] });
      }),
      { numRuns: 500 },
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
