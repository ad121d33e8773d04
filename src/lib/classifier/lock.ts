/** A lock that worker threads share: what one of them does at a time. */

/** 0 free, 1 held; in shared memory. */
export type Lock = Int32Array<SharedArrayBuffer>;

export function newLock(): Lock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Blocks the thread until no other is in `run` with this lock; not for the main thread. */
export function whileLocked<T>(lock: Lock, run: () => T): T {
  while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1);
  try {
    return run();
  } finally {
    Atomics.store(lock, 0, 0);
    Atomics.notify(lock, 0, 1);
  }
}
