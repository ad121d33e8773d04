/** A value that takes a question to another server: a scrape never waits for it, and sees the last answer. */

export interface Sampled {
  /** Null before the first answer. Asks anew where that is older than `everyMs`. */
  latest(): number | null;
}

export function sampled(read: () => Promise<number | null>, everyMs: number): Sampled {
  let value: number | null = null;
  let askedAt = -Infinity;
  let asking = false;
  const ask = async () => {
    asking = true;
    askedAt = performance.now();
    // What cannot be asked is not known; a fault of that server shows elsewhere.
    value = await read().catch(() => null);
    asking = false;
  };
  return {
    latest() {
      if (!asking && performance.now() - askedAt >= everyMs) void ask();
      return value;
    },
  };
}
