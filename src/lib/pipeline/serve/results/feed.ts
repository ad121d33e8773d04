/** The stream of results for everybody who listens: one query a tick for all who are up to date, pages for who catches up. */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  isAfter,
  type ResultPlace,
  type StreamedResult,
  type StreamPage,
} from '../../../systems/database/tables/results.ts';

export interface FeedSource {
  /** Behind everything there is. */
  end(): Promise<ResultPlace>;
  /** At most `limit` results. */
  after(place: ResultPlace, limit: number): Promise<StreamPage>;
}

/** Takes results; resolves when it can take more. */
export type Take = (results: readonly StreamedResult[]) => Promise<void> | void;

export interface FeedOptions {
  /** Between two looks, in milliseconds. */
  pollMs?: number;
  /** Results a query. */
  pageSize?: number;
}

const longestPauseMs = 2000;

export class Feed {
  readonly #source: FeedSource;
  readonly #pollMs: number;
  readonly #pageSize: number;
  readonly #live = new Set<{ take: Take; from: ResultPlace }>();
  /** Everything up to here was handed to all who are live; null while nobody is. */
  #place: ResultPlace | null = null;
  #polling = false;

  constructor(source: FeedSource, { pollMs = 40, pageSize = 200 }: FeedOptions = {}) {
    this.#source = source;
    this.#pollMs = pollMs;
    this.#pageSize = pageSize;
  }

  /**
   * Hands on everything after `from` (null: from now on), in order and without a gap, until `signal` aborts. Throws what
   * the database throws while catching up.
   */
  async follow(from: ResultPlace | null, take: Take, signal: AbortSignal): Promise<void> {
    const end = await this.#source.end();
    // A place that cannot have been handed out would keep the others waiting for it.
    let place = from === null || isAfter(from, end) ? end : from;
    for (;;) {
      const { results, upTo } = await this.#source.after(place, this.#pageSize);
      if (signal.aborted) return;
      if (results.length > 0) await take(results);
      if (signal.aborted) return;
      place = upTo;
      // From here to #join nothing is awaited, so the others cannot move on in between.
      const isBehind = this.#place !== null && isAfter(this.#place, place);
      if (results.length < this.#pageSize && !isBehind) break;
    }
    await this.#join(take, place, signal);
  }

  #join(take: Take, from: ResultPlace, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const one = { take, from };
      this.#live.add(one);
      this.#place ??= from;
      const leave = () => {
        this.#live.delete(one);
        if (this.#live.size === 0) this.#place = null;
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      if (!this.#polling) void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    let pauseMs = this.#pollMs;
    for (;;) {
      await sleep(pauseMs);
      const place = this.#place;
      if (place === null) break;
      try {
        const { results, upTo } = await this.#source.after(place, this.#pageSize);
        pauseMs = results.length === this.#pageSize ? 0 : this.#pollMs;
        // All have left meanwhile, and somebody new may have come: whoever is there now has a place of his own.
        if (this.#place !== place) continue;
        this.#place = upTo;
        this.#hand(results);
      } catch {
        pauseMs = Math.min(2 * Math.max(pauseMs, 1), longestPauseMs);
      }
    }
    this.#polling = false;
  }

  #hand(results: readonly StreamedResult[]): void {
    for (const { take, from } of this.#live) {
      const news = results.filter(({ place }) => isAfter(place, from));
      if (news.length > 0) void take(news);
    }
  }
}

/** One listener of the stream of results: server-sent events with heartbeats, dropped when it reads too slowly. */
interface EventStream {
  /** The body of the answer. */
  body: Readable;
  /** Resolves when the listener can take more. */
  send(results: readonly StreamedResult[]): Promise<void>;
  /** Aborts when the listener is gone, or too slow. */
  gone: AbortSignal;
  end(): void;
}

interface EventStreamOptions {
  heartbeatMs?: number;
  /** Unread bytes with which a listener is too slow. */
  mostUnread?: number;
}

/** Below the minute after which a silent connection is closed, here and in most proxies. */
const defaultHeartbeatMs = 15_000;
const defaultMostUnread = 1024 * 1024;

/** What a client does on losing the stream: come again soon, with the id of the last event it has. */
const opening = 'retry: 1000\n\n';

export function eventStream(options: EventStreamOptions = {}): EventStream {
  const { heartbeatMs = defaultHeartbeatMs, mostUnread = defaultMostUnread } = options;
  const body = new PassThrough({ highWaterMark: 64 * 1024 });
  const gone = new AbortController();
  const write = (text: string): boolean => {
    const hasRoom = body.write(text);
    // It comes again with the id of its last event, and misses nothing.
    if (body.writableLength + body.readableLength > mostUnread) body.destroy();
    return hasRoom;
  };
  const heartbeat = setInterval(() => write(':\n\n'), heartbeatMs);
  body.once('close', () => {
    clearInterval(heartbeat);
    gone.abort();
  });
  body.on('error', () => undefined);
  write(opening);
  return {
    body,
    gone: gone.signal,
    async send(results) {
      if (body.destroyed || write(results.map(eventOf).join(''))) return;
      if (!body.destroyed) await Promise.race([once(body, 'drain'), once(body, 'close')]);
    },
    end: () => void body.end(),
  };
}

function eventOf({ place, result }: StreamedResult): string {
  return `id: ${place.tx}.${place.row}\nevent: result\ndata: ${JSON.stringify(result)}\n\n`;
}

/** Reads an event's id back; undefined where it is none. */
export function rowPlace(eventId: string): ResultPlace | undefined {
  const parts = /^(\d{1,19})\.(\d{1,15})$/.exec(eventId.trim());
  return parts ? { tx: parts[1]!, row: Number(parts[2]) } : undefined;
}
