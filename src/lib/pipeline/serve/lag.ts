/** What waits in the topic and what comes into it: looked at for as long as `serve` runs, so that a page opened later shows it. */
import type { Pool } from 'pg';
import { pause } from '../../base/flow/waiting.ts';
import { readPositions } from '../../systems/database/tables/owners.ts';
import type { Topic } from '../../systems/topic/topic.ts';

/** One look. Times are in seconds since the epoch. */
export interface LagSample {
  at: number;
  /** Messages not yet recorded, a partition each; null where that is not known. */
  lags: readonly (number | null)[];
  /** The ends of all partitions together; null where one is not known. */
  end: number | null;
}

/** What is kept of a span; null where nobody could look. */
export interface LagSpan {
  /** Messages that came into the topic; null too where that is known of a part of the span alone. */
  came: number | null;
  /** Messages not yet recorded, at most in this span. */
  waiting: number | null;
  /** A partition each; empty where there are more than `mostLines`. */
  lags: readonly (number | null)[];
}

/** More partitions are shown by their sum alone. */
export const mostLines = 6;
/** What lies between two looks further apart is not known, in seconds: this process was frozen, or its host asleep. */
const longestGap = 180;
/** In seconds. */
const rounding = 0.001;

/** The spans of one window: as many as it has, and no more. */
export class LagWindow {
  readonly #seconds: number;
  readonly #most: number;
  readonly #spans = new Map<number, LagSpan>();
  /** Seconds of each span of which it is known what came. */
  readonly #known = new Map<number, number>();
  #last: LagSample | undefined;

  constructor({ seconds, spans }: { seconds: number; spans: number }) {
    this.#seconds = seconds;
    this.#most = spans;
  }

  /** The span that began then. */
  at(time: number): LagSpan {
    const span = this.#spans.get(time) ?? unknown;
    return (this.#known.get(time) ?? 0) > this.#seconds - rounding ? span : { ...span, came: null };
  }

  add(sample: LagSample): void {
    const gap = this.#last === undefined ? Infinity : sample.at - this.#last.at;
    // A clock that was set back says nothing of the time between either.
    const last = gap > 0 && gap <= longestGap ? this.#last : undefined;
    this.#last = sample;
    const current = this.#startOf(sample.at);
    const begun = last === undefined ? current : this.#startOf(last.at);
    // What came is spread over the time since the last look; a topic that was made anew begins at 0.
    const came = last?.end == null || sample.end === null ? null : sample.end - last.end;
    const each = came === null || came < 0 ? null : came / gap;
    for (let at = begun; at <= current; at += this.#seconds) {
      const span = this.#spans.get(at) ?? unknown;
      const seconds = Math.min(sample.at, at + this.#seconds) - Math.max(last?.at ?? sample.at, at);
      const part = each === null || seconds <= 0 ? null : each * seconds;
      if (part !== null) this.#known.set(at, (this.#known.get(at) ?? 0) + seconds);
      // What waited in a span that is over is known where it was looked at in it.
      const waited = at < current && this.#spans.has(at) ? span : greatest(span, sample);
      this.#spans.set(at, { ...waited, came: added(span.came, part) });
    }
    const first = current - (this.#most - 1) * this.#seconds;
    for (const spans of [this.#spans, this.#known])
      for (const at of spans.keys()) if (at < first) spans.delete(at);
  }

  /** Nobody could look: what comes until the next look is not known. */
  miss(): void {
    this.#last = undefined;
  }

  #startOf(at: number): number {
    return Math.floor(at / this.#seconds) * this.#seconds;
  }
}

const unknown: LagSpan = { came: null, waiting: null, lags: [] };

function greatest({ waiting, lags }: LagSpan, sample: LagSample): Pick<LagSpan, 'waiting' | 'lags'> {
  // A topic that does not exist has nothing that waits, and nothing that is known.
  const total = sample.lags.length === 0 ? null : totalOf(sample.lags);
  const lines = sample.lags.length > mostLines ? [] : sample.lags;
  return {
    waiting: greater(waiting, total),
    lags: lines.map((lag, partition) => greater(lags[partition] ?? null, lag)),
  };
}

function greater(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

function added(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : one + other;
}

/** Null where one is not known. */
function totalOf(all: readonly (number | null)[]): number | null {
  return all.reduce<number | null>((sum, one) => (sum === null || one === null ? null : sum + one), 0);
}

export interface LagDeps {
  pool: Pool;
  topic: Pick<Topic, 'name' | 'ends' | 'bounds' | 'committed'>;
  pipeline: string;
  /** Whether a server is known to be away: then it is not asked. */
  isAway: () => boolean;
}

/** From one look to the next, in milliseconds: longer where looking takes long, so that it never takes more than a share of the time. */
const usual = { everyMs: 5000, mostMs: 60_000, share: 0.02 };

/** Looks again and again, one look at a time, until `signal` aborts. Never rejects. */
export async function watchLag(
  deps: LagDeps,
  windows: readonly LagWindow[],
  signal: AbortSignal,
  { everyMs, mostMs, share }: typeof usual = usual,
): Promise<void> {
  const look = lagSampler(deps);
  while (!signal.aborted) {
    const began = performance.now();
    const sample = deps.isAway() ? undefined : await look(Date.now() / 1000).catch(() => undefined);
    const took = performance.now() - began;
    for (const window of windows) {
      if (sample === undefined) window.miss();
      else window.add(sample);
    }
    // A server that did not answer in time says nothing of what looking costs.
    const wait = sample === undefined ? everyMs : Math.min(Math.max(took / share, everyMs), mostMs);
    await pause(wait, signal);
  }
}

/** Where a consumer would start that has recorded nothing yet holds for so long, in seconds, and so many are asked for at a look. */
const startSeconds = 60;
const startsAtOnce = 20;

/** One question of the topic and one query a look, whatever the number of partitions. Rejects where either fails. */
export function lagSampler({ pool, topic, pipeline }: LagDeps): (now: number) => Promise<LagSample> {
  const starts = new Map<number, { start: number; until: number }>();
  return async (now) => {
    const [positions, ends] = await Promise.all([
      readPositions(pool, { pipeline, topic: topic.name }),
      topic.ends(),
    ]);
    let left = startsAtOnce;
    const lags: (number | null)[] = [];
    for (const [partition, end] of ends.entries()) {
      const position = positions.get(partition);
      if (end === null || end === 0) lags.push(end);
      else if (position !== undefined) lags.push(Math.max(0, end - position));
      else {
        const known = starts.get(partition);
        if ((known === undefined || known.until < now) && left-- > 0) {
          const start = (await topic.committed(pipeline, partition)) ?? (await topic.bounds(partition)).first;
          starts.set(partition, { start, until: now + startSeconds });
        }
        const start = starts.get(partition)?.start;
        lags.push(start === undefined ? null : Math.max(0, end - start));
      }
    }
    for (const partition of starts.keys()) {
      if (positions.has(partition) || partition >= ends.length) starts.delete(partition);
    }
    return { at: now, lags, end: totalOf(ends) };
  };
}
