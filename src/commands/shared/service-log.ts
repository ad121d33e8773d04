/** What the logs of all roles have in common: waits with their duration, and every minute how far it is. */
import type { Logger } from 'pino';
import { ageText } from '../../lib/base/report/age.ts';
import { counted } from '../../lib/base/report/table.ts';
import { called, noServers, type ServerEvent, type Servers } from '../../lib/pipeline/server-watch.ts';
import type { Context } from './run.ts';

/** How often a wait that lasts, and progress, are told, in milliseconds. */
const everyMs = 60_000;

/** Where the lines go: a log, or the person who waits. */
export interface WaitLines {
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
}

export function linesFor(say: (text: string) => void): WaitLines {
  return { warn: say, info: say, debug: () => undefined };
}

export interface WaitingOptions {
  /** Who is away has lines of its own, and nothing that waits for them needs others. */
  servers?: Pick<Servers, 'away'>;
  /** What is told: `lasted` is empty, or ` for 2 min`. */
  words?: (lasted: string) => string;
}

/** Tells of a wait once, every minute with its duration while it lasts, and when it is over. */
export class Waiting implements Disposable {
  readonly #lines: WaitLines;
  readonly #servers: Pick<Servers, 'away'>;
  readonly #words: (lasted: string) => string;
  #since: number | undefined;
  #reason = '';
  #toldAt = -Infinity;
  /** Its end is worth a line. */
  #open = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(lines: WaitLines, options: WaitingOptions = {}) {
    this.#lines = lines;
    this.#servers = options.servers ?? noServers;
    this.#words = options.words ?? ((lasted) => `waiting${lasted}`);
  }

  /**
   * Waits that follow each other within a minute are told as one: where every image is refused, each names another one.
   * `opening`: a server that is known to be away is being opened; each reason is told, for it says what to do.
   */
  for(reason: string, { opening = false } = {}): void {
    const isNews = opening
      ? this.#since === undefined || reason !== this.#reason
      : performance.now() - this.#toldAt >= everyMs;
    this.#reason = reason;
    this.#since ??= performance.now();
    this.#timer ??= setInterval(() => this.#tell(), everyMs).unref();
    if (isNews) this.#tell(opening);
    else this.#lines.debug(`${this.#words('')}: ${reason}`);
  }

  over(): void {
    if (this.#since === undefined) return;
    const lasted = ageText(performance.now() - this.#since);
    this.#lines[this.#open ? 'info' : 'debug'](`resumed after ${lasted}`);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = this.#since = undefined;
    this.#open = false;
  }

  #tell(always = false): void {
    if (this.#since === undefined) return;
    const isTold = this.#servers.away.length > 0;
    // Also when that server is back, and the next attempt is still to come.
    this.#toldAt = performance.now();
    if (isTold && !always) return;
    const ms = performance.now() - this.#since;
    this.#lines.warn(`${this.#words(ms < 1000 ? '' : ` for ${ageText(ms)}`)}: ${this.#reason}`);
    this.#open ||= !isTold;
  }
}

/** A warning when a server goes away and every minute while it stays away, and one line when it is back. */
export function serverLog({ log }: Pick<Context, 'log'>): (event: ServerEvent) => void {
  return (event) => {
    const { server, since } = event;
    const lasted = ageText(Date.now() - since.getTime());
    if (event.kind === 'back') {
      log.info({ server, since }, `${called[server]} is back after ${lasted}`);
      return;
    }
    // What opens it has said so.
    if (event.starting) return;
    log.warn(
      { server, since },
      `waiting for ${called[server]}${event.again ? ` for ${lasted}` : ''}: ${event.reason}`,
    );
  };
}

/** What is still to be done, under the word for it. */
export interface Rest {
  word: 'lag' | 'left';
  /** Null: not known. */
  count: () => number | null;
}

/** On a terminal somebody watches. */
const everyMsWatched = 5000;

/** Every minute, in words: how many there were, how many a second, and what is left; nothing while there is nothing to say. */
export class ServiceProgress implements Disposable {
  readonly #log: Logger;
  readonly #unit: 'image' | 'key';
  readonly #rest: Rest | null;
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #since = performance.now();

  constructor(
    { log, interactive }: Pick<Context, 'log' | 'interactive'>,
    unit: 'image' | 'key',
    rest: Rest | null = null,
  ) {
    this.#log = log;
    this.#unit = unit;
    this.#rest = rest;
    this.#timer = setInterval(() => this.tell(), interactive ? everyMsWatched : everyMs).unref();
  }

  add(count: number): void {
    this.#count += count;
  }

  tell(): void {
    const seconds = Math.max(0.001, (performance.now() - this.#since) / 1000);
    const left = this.#rest?.count() ?? null;
    if (this.#count > 0 || (left ?? 0) > 0) {
      const perSecond = Math.round((this.#count / seconds) * 10) / 10;
      const [unit, word] = [`${this.#unit}s`, this.#rest?.word];
      const rest = word === undefined ? '' : `, ${word} ${left ?? 'unknown'}`;
      this.#log.info(
        { [unit]: this.#count, [`${unit}PerSecond`]: perSecond, ...(word !== undefined && { [word]: left }) },
        `progress: ${counted(this.#count, this.#unit)} in ${ageText(seconds * 1000)}, ${perSecond} ${unit}/s${rest}`,
      );
    }
    this.#count = 0;
    this.#since = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#count > 0) this.tell();
  }
}
