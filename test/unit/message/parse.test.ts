import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../../src/lib/message/parse.ts';
import { producedRequestId } from '../../../src/lib/message/request.ts';
import type { TopicRecord } from '../../../src/lib/topic/topic.ts';

function record(value: Buffer | string | null, headers: Record<string, string> = {}): TopicRecord {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return {
    topic: 't',
    partition: 1,
    offset: 7,
    timestamp: 1_700_000_000_000,
    key: null,
    value: bytes,
    headers,
  };
}

describe('parseMessage', () => {
  it('takes a bare key, as any tool sends it', () => {
    expect(parseMessage(record('BMW/1.jpg'))).toEqual({
      kind: 'requests',
      requests: [{ id: 't/1/7@1700000000000', imageKey: 'BMW/1.jpg', capturedAt: null, belt: null }],
    });
  });

  it('takes what produce says in headers', () => {
    const headers = {
      'visionscale-request-id': producedRequestId('a b.jpg', 2),
      'visionscale-captured-at': '2026-11-22T10:00:00.000Z',
      'visionscale-belt': 'north',
      'content-type': 'text/plain; charset=utf-8',
    };
    expect(parseMessage(record('a b.jpg', headers))).toEqual({
      kind: 'requests',
      requests: [
        {
          id: 'p:2:a b.jpg',
          imageKey: 'a b.jpg',
          capturedAt: Date.parse('2026-11-22T10:00:00Z'),
          belt: 'north',
        },
      ],
    });
  });

  it.each([
    ['no value', record(null)],
    ['an empty value', record('')],
    ['a path out of the store', record('../../etc/passwd')],
    ['a control character', record('a\nb')],
    ['bytes that are not UTF-8', record(Buffer.from([0xff, 0xd8, 0xff, 0xe0]))],
    ['a key too long', record('k'.repeat(1025))],
    ['another content type', record('a.jpg', { 'content-type': 'application/x-thing' })],
  ])('calls %s unreadable', (_, unreadable) => {
    expect(parseMessage(unreadable)).toMatchObject({ kind: 'unreadable', requestId: 't/1/7@1700000000000' });
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.option(fc.uint8Array({ maxLength: 2000 })),
        fc.dictionary(
          fc.constantFrom('visionscale-request-id', 'visionscale-captured-at', 'content-type', 'x'),
          fc.string(),
        ),
        (value, headers) => {
          const message = parseMessage(record(value === null ? null : Buffer.from(value), headers));
          expect(['requests', 'unreadable']).toContain(message.kind);
        },
      ),
    );
  });
});
