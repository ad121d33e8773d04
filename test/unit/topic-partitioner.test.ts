import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../src/lib/systems/topic/embedded/producer.ts';

describe('murmur2', () => {
  // From the tests of Kafka's Java client (UtilsTest.testMurmur2).
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('of %s is %d, as in Java', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  // Written by org.apache.kafka.common.utils.Utils of kafka-clients 4.1.0: key in hex, murmur2, toPositive % 3 and % 7.
  it('is that of the Java client for keys of every length and awkward bytes', () => {
    const file = new URL('../fixtures/murmur2-java.json', import.meta.url);
    const vectors = JSON.parse(readFileSync(file, 'utf8')) as [string, number, number, number][];
    expect(vectors.length).toBeGreaterThan(190);
    for (const [hex, hash, ofThree, ofSeven] of vectors) {
      const key = Buffer.from(hex, 'hex');
      expect([hex, murmur2(key), partitionForKey(key, 3), partitionForKey(key, 7)]).toEqual([
        hex,
        hash,
        ofThree,
        ofSeven,
      ]);
    }
  });

  it('is a signed 32-bit number, the same wherever the bytes lie, and the partition is one of them', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 10_000 }),
        (key, partitions) => {
          const hash = murmur2(key);
          expect(hash).toBe(hash | 0);
          expect(murmur2(Uint8Array.of(9, ...key, 9).subarray(1, -1))).toBe(hash);
          const partition = partitionForKey(key, partitions);
          expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
        },
      ),
    );
  });

  it('takes bytes of any value and an empty key', () => {
    expect(murmur2(new Uint8Array())).toBe(275646681);
    expect(Number.isInteger(murmur2(Uint8Array.of(255, 254, 128, 0, 200)))).toBe(true);
  });
});

it('makes the hash positive before it takes the rest', () => {
  expect(partitionForKey(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7);
  for (let n = 0; n < 1_000; n++) {
    const partition = partitionForKey(Buffer.from(`images/${n}.jpg`), 3);
    expect(partition >= 0 && partition < 3).toBe(true);
  }
});
