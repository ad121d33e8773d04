/** What happened lately, kept in memory while somebody looks: only what came since the last question is asked of the database. */
import type { Pool } from 'pg';
import { type ActivitySpan, readActivity } from '../../systems/database/tables/activity.ts';
import type { Topic } from '../../systems/topic/topic.ts';

export interface ActivityPoint extends ActivitySpan {
  /** Messages that came into the topic; null where nobody looked then. */
  came: number | null;
}

export interface Activity {
  /** Length of a span. */
  seconds: number;
  /** One after the other without gaps, the oldest first; the last is not over yet. */
  points: ActivityPoint[];
}

export interface ActivityOptions {
  pipeline: string;
  /** Length of a span, in seconds, and how many of them. */
  seconds: number;
  spans: number;
}

/** Rows may come as late as this after the time they carry, in seconds: their transaction may still run. */
const lateSeconds = 10;

export class RecentActivity {
  readonly #pool: Pool;
  readonly #topic: Pick<Topic, 'partitions' | 'bounds'>;
  readonly #options: ActivityOptions;
  readonly #spans = new Map<number, ActivitySpan>();
  readonly #came = new Map<number, number>();
  #askedTo = 0;
  #last: { at: number; end: number } | undefined;

  constructor(pool: Pool, topic: Pick<Topic, 'partitions' | 'bounds'>, options: ActivityOptions) {
    this.#pool = pool;
    this.#topic = topic;
    this.#options = options;
  }

  /** One question at a time. `now`: milliseconds since the epoch. */
  async read(now = Date.now()): Promise<Activity> {
    const { pipeline, seconds, spans } = this.#options;
    const span = (at: number) => Math.floor(at / seconds) * seconds;
    const current = span(now / 1000);
    const first = current - (spans - 1) * seconds;
    const since = Math.max(first, span(this.#askedTo - lateSeconds));
    const [found] = await Promise.all([
      readActivity(this.#pool, pipeline, new Date(since * 1000), seconds),
      this.#count(now / 1000, current),
    ]);
    for (const at of this.#spans.keys()) if (at >= since || at < first) this.#spans.delete(at);
    for (const at of this.#came.keys()) if (at < first) this.#came.delete(at);
    for (const one of found) this.#spans.set(one.at, one);
    this.#askedTo = now / 1000;
    const points = Array.from({ length: spans }, (_, n) => {
      const at = first + n * seconds;
      return { ...(this.#spans.get(at) ?? { ...nothing, at }), came: this.#came.get(at) ?? null };
    });
    return { seconds, points };
  }

  /** What the ends of the partitions have moved by is spread over the spans since the last look, as long as that is not long ago. */
  async #count(now: number, current: number): Promise<void> {
    const end = await this.#end().catch(() => undefined);
    const { seconds } = this.#options;
    const last = this.#last;
    this.#last = end === undefined ? undefined : { at: now, end };
    if (end === undefined || last === undefined || end < last.end || now - last.at > 3 * seconds) return;
    const each = (end - last.end) / (now - last.at);
    for (let at = Math.floor(last.at / seconds) * seconds; at <= current; at += seconds) {
      const part = Math.min(now, at + seconds) - Math.max(last.at, at);
      if (part > 0) this.#came.set(at, (this.#came.get(at) ?? 0) + each * part);
    }
  }

  async #end(): Promise<number> {
    const count = await this.#topic.partitions();
    const all = await Promise.all([...Array(count).keys()].map((n) => this.#topic.bounds(n)));
    return all.reduce((sum, { end }) => sum + end, 0);
  }
}

const nothing = { done: 0, failed: 0, late: 0, latencyP50: null, latencyP99: null, workP50: null };
