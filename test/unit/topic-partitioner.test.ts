import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../src/lib/topic/partitioner.ts';

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
