/** Works on several items at once and hands the results on in order, in groups of whatever is finished. */
import { setMaxListeners } from 'node:events';

export interface OrderedGroupsOptions {
  /** Most items held: being worked on, or finished and not yet taken. Nothing more is pulled from the source. */
  inFlight: number;
  /** Ends the source; what was pulled is still finished and handed on. */
  signal: AbortSignal;
}

type Slot<R> = { state: 'working' } | { state: 'done'; value: R } | { state: 'failed'; error: unknown };

/**
 * `source` gets a signal that aborts with `options.signal` or when the consumer leaves. `work` gets the same, to cut its
 * waits short. A failed item ends the sequence behind the items before it: with its error, or silently where `signal`
 * was aborted (it is then taken again next time).
 */
export async function* orderedGroups<T, R>(
  source: (signal: AbortSignal) => AsyncIterable<T> | Iterable<T>,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  options: OrderedGroupsOptions,
): AsyncGenerator<R[], void, void> {
  const left = new AbortController();
  const signal = AbortSignal.any([options.signal, left.signal]);
  // Every item in work may be waiting for it.
  setMaxListeners(0, signal);
  const slots: Slot<R>[] = [];
  const change = new Change();
  let sourceEnd: { error?: unknown } | undefined;

  const start = (item: T, index: Slot<R>) => {
    work(item, signal).then(
      (value) => {
        Object.assign(index, { state: 'done', value });
        change.signal();
      },
      (error: unknown) => {
        Object.assign(index, { state: 'failed', error });
        change.signal();
      },
    );
  };

  const pump = async () => {
    try {
      for await (const item of source(signal)) {
        const slot: Slot<R> = { state: 'working' };
        slots.push(slot);
        start(item, slot);
        while (slots.length >= options.inFlight && !signal.aborted) await change.wait(signal);
        if (left.signal.aborted) break;
      }
      sourceEnd = {};
    } catch (error) {
      sourceEnd = { error };
    }
    change.signal();
  };
  const pumped = pump();

  try {
    for (;;) {
      const finished = takeFinished(slots);
      if (finished.length > 0) {
        change.signal();
        yield finished;
        continue;
      }
      const head = slots[0];
      if (head?.state === 'failed') {
        if (options.signal.aborted) return;
        throw head.error;
      }
      if (head === undefined && sourceEnd !== undefined) {
        if ('error' in sourceEnd) throw sourceEnd.error;
        return;
      }
      await change.wait();
    }
  } finally {
    left.abort();
    change.signal();
    await pumped;
  }
}

/** Removes and returns the values of the finished items at the front. */
function takeFinished<R>(slots: Slot<R>[]): R[] {
  const values: R[] = [];
  for (let head = slots[0]; head?.state === 'done'; head = slots[0]) {
    values.push(head.value);
    slots.shift();
  }
  return values;
}

/** Wakes everybody who waits for something to have changed. */
class Change {
  #waiting: (() => void)[] = [];

  signal(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async wait(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.push(wake);
      signal?.addEventListener('abort', wake, { once: true });
      if (signal?.aborted) wake();
    });
  }
}
