/** What happened lately, kept in memory: only what came since the last question is asked of the database. */
import type { Pool } from 'pg';
import { type ActivitySpan, readActivity } from '../../systems/database/tables/activity.ts';
import { type LagSpan, LagWindow, mostLines } from './lag.ts';

export type ActivityPoint = ActivitySpan & Pick<LagSpan, 'came' | 'waiting'>;

export interface Activity {
  /** Length of a span. */
  seconds: number;
  /** One after the other without gaps, the oldest first; the last is not over yet. */
  points: ActivityPoint[];
  /** What waited in each, in as many spans; empty where there are too many. */
  partitions: { partition: number; waiting: (number | null)[] }[];
}

export interface ActivityOptions {
  pipeline: string;
  /** Length of a span, in seconds, and how many of them. */
  seconds: number;
  spans: number;
}

/** Rows may come as late as this after the time they carry, in seconds: their transaction may still run. */
const lateSeconds = 10;
/** The database is asked for so much at once, in seconds: a day of a fast pipeline takes longer than a query may. */
const atOnceSeconds = 3600;

export class RecentActivity {
  /** Whoever looks at the topic adds to it. */
  readonly lag: LagWindow;
  readonly #pool: Pool;
  readonly #options: ActivityOptions;
  readonly #spans = new Map<number, ActivitySpan>();
  #askedTo = 0;

  constructor(pool: Pool, options: ActivityOptions) {
    this.#pool = pool;
    this.#options = options;
    this.lag = new LagWindow(options);
  }

  /** One question at a time. `now`: milliseconds since the epoch. */
  async read(now = Date.now()): Promise<Activity> {
    const { pipeline, seconds, spans } = this.#options;
    const span = (at: number) => Math.floor(at / seconds) * seconds;
    const first = span(now / 1000) - (spans - 1) * seconds;
    const since = Math.max(first, span(this.#askedTo - lateSeconds));
    const found: ActivitySpan[] = [];
    for (let from = since; from <= now / 1000; from += atOnceSeconds) {
      const until = new Date((from + atOnceSeconds) * 1000);
      found.push(...(await readActivity(this.#pool, pipeline, new Date(from * 1000), until, seconds)));
    }
    for (const at of this.#spans.keys()) if (at >= since || at < first) this.#spans.delete(at);
    for (const one of found) this.#spans.set(one.at, one);
    this.#askedTo = now / 1000;
    const times = Array.from({ length: spans }, (_, n) => first + n * seconds);
    const lags = times.map((at) => this.lag.at(at));
    const points = times.map((at, n) => {
      const { came, waiting } = lags[n]!;
      return { ...(this.#spans.get(at) ?? { ...nothing, at }), came, waiting };
    });
    return { seconds, points, partitions: byPartition(lags) };
  }
}

/** As many as there were at the last look. */
function byPartition(lags: readonly LagSpan[]): Activity['partitions'] {
  const count =
    lags.findLast(({ waiting, lags: each }) => waiting !== null || each.length > 0)?.lags.length ?? 0;
  if (count > mostLines) return [];
  return Array.from({ length: count }, (_, partition) => ({
    partition,
    waiting: lags.map(({ lags: each }) => each[partition] ?? null),
  }));
}

const nothing = {
  ...{ done: 0, failed: 0, late: 0 },
  ...{ latencyP50: null, latencyP99: null, workP50: null, waitP50: null },
};
