/** Those who wait for results: for the outcome of one request, or for all that come. */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestOutcome, Result, StreamedResult } from '../../systems/database/tables/results.ts';
import { isAfter, type StreamPage, type StreamPlace } from '../../systems/database/tables/stream.ts';

interface WaitersOptions {
  find: (ids: readonly string[]) => Promise<RequestOutcome[]>;
  /** Between two questions, in milliseconds. */
  pollMs?: number;
  /** Most who wait at a time; others are not kept waiting. */
  most?: number;
}

/** Longest pauses while the database does not answer, in milliseconds. */
const longestPauseMs = { waiters: 1000, feed: 2000 };

/** One query for all who wait, and none while nobody waits. */
export class Waiters {
  readonly #options: Required<WaitersOptions>;
  readonly #waiting = new Map<string, Set<(outcome: RequestOutcome | null) => void>>();
  #count = 0;
  #polling = false;
  #closed = false;

  constructor(options: WaitersOptions) {
    this.#options = { pollMs: 30, most: 2000, ...options };
  }

  get count(): number {
    return this.#count;
  }

  /** Null after `ms` milliseconds, when `signal` aborts, when too many wait already, and when the server stops. */
  async wait(id: string, ms: number, signal: AbortSignal): Promise<RequestOutcome | null> {
    if (ms <= 0 || this.#closed || signal.aborted || this.#count >= this.#options.most) return null;
    const group = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, group);
    this.#count++;
    return new Promise((resolve) => {
      const done = (outcome: RequestOutcome | null) => {
        if (!group.delete(done)) return;
        if (group.size === 0) this.#waiting.delete(id);
        this.#count--;
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        resolve(outcome);
      };
      const stop = () => done(null);
      const timer = setTimeout(stop, ms);
      signal.addEventListener('abort', stop);
      group.add(done);
      if (!this.#polling) void this.#poll();
    });
  }

  /** Lets all go, and keeps nobody waiting from now on. */
  close(): void {
    this.#closed = true;
    for (const group of this.#waiting.values()) for (const done of group) done(null);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    let pauseMs = this.#options.pollMs;
    while (this.#waiting.size > 0) {
      try {
        for (const outcome of await this.#options.find([...this.#waiting.keys()])) {
          for (const done of this.#waiting.get(outcome.id) ?? []) done(outcome);
        }
        pauseMs = this.#options.pollMs;
      } catch {
        // Whoever waits gets no worse answer than that it takes longer.
        pauseMs = Math.min(2 * pauseMs, longestPauseMs.waiters);
      }
      if (this.#waiting.size > 0) await sleep(pauseMs);
    }
    this.#polling = false;
  }
}

interface FeedSource {
  /** Behind everything there is. */
  end(): Promise<StreamPlace>;
  /** At most `limit` results. */
  after(place: StreamPlace, limit: number): Promise<StreamPage<{ result: Result }>>;
}

/** Takes results; resolves when it can take more. */
type Take = (results: readonly StreamedResult[]) => Promise<void> | void;

interface FeedOptions {
  /** Between two looks, in milliseconds. */
  pollMs?: number;
  /** Results a query. */
  pageSize?: number;
}

/** One query a tick for all who are up to date, pages for who catches up. */
export class Feed {
  readonly #source: FeedSource;
  readonly #pollMs: number;
  readonly #pageSize: number;
  readonly #live = new Set<{ take: Take; from: StreamPlace }>();
  /** Everything up to here was handed to all who are live; null while nobody is. */
  #place: StreamPlace | null = null;
  #polling = false;

  constructor(source: FeedSource, { pollMs = 40, pageSize = 200 }: FeedOptions = {}) {
    this.#source = source;
    this.#pollMs = pollMs;
    this.#pageSize = pageSize;
  }

  /** The place of now. */
  end(): Promise<StreamPlace> {
    return this.#source.end();
  }

  /**
   * Hands on everything after `from` (null: from now on), in order and without a gap, until `signal` aborts. Throws what
   * the database throws while catching up.
   */
  async follow(from: StreamPlace | null, take: Take, signal: AbortSignal): Promise<void> {
    const end = await this.#source.end();
    // A place that cannot have been handed out would keep the others waiting for it.
    let place = from === null || isAfter(from, end) ? end : from;
    for (;;) {
      const { rows: results, upTo } = await this.#source.after(place, this.#pageSize);
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

  #join(take: Take, from: StreamPlace, signal: AbortSignal): Promise<void> {
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
        const { rows: results, upTo } = await this.#source.after(place, this.#pageSize);
        pauseMs = results.length === this.#pageSize ? 0 : this.#pollMs;
        // All have left meanwhile, and somebody new may have come: whoever is there now has a place of his own.
        if (this.#place !== place) continue;
        this.#place = upTo;
        this.#hand(results);
      } catch {
        pauseMs = Math.min(2 * Math.max(pauseMs, 1), longestPauseMs.feed);
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
  /** Tells the place where it begins, so that who loses it before the first result comes again from there. */
  begin(place: StreamPlace): void;
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
    begin: (place) => void (body.destroyed || write(`id: ${idOf(place)}\n\n`)),
    async send(results) {
      if (body.destroyed || write(results.map(eventOf).join(''))) return;
      if (!body.destroyed) await Promise.race([once(body, 'drain'), once(body, 'close')]);
    },
    end: () => void body.end(),
  };
}

function eventOf({ place, result }: StreamedResult): string {
  return `id: ${idOf(place)}\nevent: result\ndata: ${JSON.stringify(result)}\n\n`;
}

function idOf({ tx, row }: StreamPlace): string {
  return `${tx}.${row}`;
}

/** Reads an event's id back; undefined where it is none. */
export function rowPlace(eventId: string): StreamPlace | undefined {
  const parts = /^(\d{1,19})\.(\d{1,15})$/.exec(eventId.trim());
  return parts ? { tx: parts[1]!, row: Number(parts[2]) } : undefined;
}
