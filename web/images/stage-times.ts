/** Where an image's time went, from what its row says: to be drawn to scale. */

/** In the order in which an image goes through them. */
const order = ['fetch', 'decode', 'preprocess', 'infer'];

export interface Stage {
  name: string;
  /** Milliseconds. */
  ms: number;
}

export interface Timeline {
  /** Milliseconds from its begin to the row. */
  total: number;
  /** Of these, without any work: in the topic, for a free worker, and to be recorded. Null where nobody knows the begin. */
  waiting: number | null;
  /** Of these, at work. */
  work: number;
  stages: Stage[];
}

/**
 * The clocks of two hosts may make a latency shorter than the work it is made of: then the work is all there is. `latencyMs`
 * null: the message had no time.
 */
export function timelineOf(stages: Readonly<Record<string, number>>, latencyMs: number | null): Timeline {
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const known = Object.entries(stages)
    .map(([name, ms]) => ({ name, ms: Math.max(0, ms) }))
    .sort((a, b) => place(a.name) - place(b.name));
  const work = known.reduce((sum, { ms }) => sum + ms, 0);
  const total = Math.max(work, latencyMs ?? 0);
  return { total, waiting: latencyMs === null ? null : total - work, work, stages: known };
}

/** How far a latency's begin may lie from the capture time that it counts from, in milliseconds: rows are written later. */
const closeMs = 1000;

/** Whether the latency counts from the capture; else from the message, for a capture time that cannot be is not believed. */
export function countsFromCapture(
  capturedAt: string | null,
  processedAt: string,
  latencyMs: number | null,
): boolean {
  if (capturedAt === null || latencyMs === null) return false;
  return Math.abs(Date.parse(processedAt) - latencyMs - Date.parse(capturedAt)) < closeMs;
}

/** In percent; of nothing, nothing. */
export function shareOf(ms: number, total: number): number {
  return total > 0 ? (100 * ms) / total : 0;
}
