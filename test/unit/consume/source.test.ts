import { describe, expect, it } from 'vitest';
import { RecordSource } from '../../../src/lib/pipeline/consume/partition/work-through.ts';
import type { TopicRecord } from '../../../src/lib/systems/message/record.ts';
import type { Reader } from '../../../src/lib/systems/topic/topic.ts';

/** Hands out these offsets once; a stretch that ends early leaves the rest. */
function reader(offsets: number[]): Reader {
  const left = offsets.map((offset) => ({ offset, timestamp: 1000 + offset }) as TopicRecord);
  return {
    async *records() {
      await Promise.resolve();
      while (left.length > 0) yield left.shift()!;
    },
  } as unknown as Reader;
}

async function offsets(records: AsyncIterable<TopicRecord>): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset } of records) found.push(offset);
  return found;
}

describe('Source', () => {
  const signal = new AbortController().signal;

  it('hands out each record once, also where a stretch ends in a gap', async () => {
    const source = new RecordSource(reader([0, 1, 5, 6, 9]), 0);
    expect(await offsets(source.upTo(3, signal))).toEqual([0, 1]);
    expect(source.taken).toBe(6);
    expect(await offsets(source.upTo(4, signal))).toEqual([]);
    expect(await offsets(source.upTo(7, signal))).toEqual([5, 6]);
    expect(await offsets(source.upTo(null, signal))).toEqual([9]);
    expect(source.taken).toBe(10);
  });

  it('knows the oldest that is not recorded, also one that was read too far', async () => {
    const source = new RecordSource(reader([0, 1, 5]), 0);
    expect(source.oldestFrom(0)).toBeNull();
    await offsets(source.upTo(3, signal));
    expect(source.oldestFrom(0)).toBe(1000);
    expect(source.oldestFrom(1)).toBe(1001);
    expect(source.oldestFrom(2)).toBe(1005);
    expect(source.oldestFrom(6)).toBeNull();
  });

  it('does not wait for the record behind the end', async () => {
    const source = new RecordSource(reader([0, 1, 2]), 0);
    expect(await offsets(source.upTo(2, signal))).toEqual([0, 1]);
    expect(source.taken).toBe(2);
  });
});
