/** Where a keyed record goes: Kafka's default partitioner, so that both topics place a key alike. */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** The 32-bit MurmurHash2 of Kafka's Java client, as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = seed ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word =
      byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = length - whole;
  if (rest > 2) hash ^= byte(data, whole + 2) << 16;
  if (rest > 1) hash ^= byte(data, whole + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byte(data, whole), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of a key: `toPositive(murmur2(key)) % partitions`, as in Java. */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

function byte(data: Uint8Array, at: number): number {
  return data[at] ?? 0;
}
