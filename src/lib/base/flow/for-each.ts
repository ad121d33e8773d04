/** Works on the items of a source, some at a time. */

/**
 * At most `concurrency` items are being worked on, and the source is pulled only for a free place. After the first
 * failure nothing more is pulled; what runs is waited for, then the failure is thrown.
 */
export async function forEachConcurrently<T>(
  source: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const start = (item: T) => {
    const one = work(item)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => running.delete(one));
    running.add(one);
  };
  try {
    for await (const item of source) {
      if (failures.length > 0) break;
      start(item);
      if (running.size >= concurrency) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } catch (error) {
    failures.push(error); // the source's own
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
