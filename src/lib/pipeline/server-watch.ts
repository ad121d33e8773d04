/** Asks database, topic and object store every other second whether they answer, also while there is nothing to do, and tells who is away. */
import type { Pool } from 'pg';
import { errorMessage, isRetryable, VisionscaleError } from '../base/errors.ts';
import { ageText } from '../base/report/age.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import type { Topic } from '../systems/topic/topic.ts';

export const serverNames = ['database', 'topic', 'store'] as const;
export type ServerName = (typeof serverNames)[number];

export interface Away {
  server: ServerName;
  reason: string;
  since: Date;
}

export type ServerEvent =
  /** `again`: still, told every minute. `starting`: while it is opened, whose own retries have told it. */
  | ({ kind: 'away'; again: boolean; starting: boolean } & Away)
  | { kind: 'back'; server: ServerName; since: Date };

export interface Question {
  /** Cheap. Rejects where the server does not do its work. */
  ask: () => Promise<unknown>;
  /** For messages. */
  where: string;
}

export interface ServerWatchTimes {
  /** From one question to the next, in milliseconds. */
  everyMs: number;
  /** No answer for so long: away. */
  timeoutMs: number;
  /** After a refusal it is asked once more: a connection that was idle may just have ended. */
  againMs: number;
  /** How often it is told that a server is still away. */
  remindMs: number;
}

/** So that probes hear of a server that is away within five seconds, however it is away. */
const usual: ServerWatchTimes = { everyMs: 1500, timeoutMs: 3000, againMs: 200, remindMs: 60_000 };
/** What came while the process did not run is looked at before it is given up, in milliseconds. */
const graceMs = 100;
/** The second question gets at least this, in milliseconds. */
const leastMs = 500;

export class ServerWatch {
  readonly #times: ServerWatchTimes;
  readonly #listeners: ((event: ServerEvent) => void)[] = [];
  readonly #away = new Map<ServerName, Away & { remind: NodeJS.Timeout }>();
  readonly #asking = new Map<ServerName, () => void>();

  constructor(times: Partial<ServerWatchTimes> = {}) {
    this.#times = { ...usual, ...times };
  }

  listen(hear: (event: ServerEvent) => void): void {
    this.#listeners.push(hear);
  }

  /** In the order in which they went. */
  get away(): readonly Away[] {
    return [...this.#away.values()];
  }

  /** Opens a server's client; while that fails for a reason that may pass, the server is away. */
  async opening<T>(server: ServerName, open: () => Promise<T>): Promise<T> {
    try {
      const opened = await open();
      this.#setBack(server);
      return opened;
    } catch (error) {
      if (isRetryable(error)) this.#setAway(server, reasonOf(error), true);
      throw error;
    }
  }

  /** Asks at once and then on and on, until it is disposed of: before the client of that server closes. */
  watch(server: ServerName, question: Question): Disposable {
    const { everyMs } = this.#times;
    const ask = once(question);
    let stopped = false;
    let running = false;
    let timer: NodeJS.Timeout | undefined;
    const round = async () => {
      if (running) return;
      running = true;
      clearTimeout(timer);
      const began = performance.now();
      const fault = await this.#faultOf(ask, question.where);
      running = false;
      if (stopped) return;
      if (fault === null) this.#setBack(server);
      else this.#setAway(server, fault, false);
      timer = setTimeout(() => void round(), Math.max(0, began + everyMs - performance.now())).unref();
    };
    this.#asking.set(server, () => void round());
    void round();
    return {
      [Symbol.dispose]: () => {
        stopped = true;
        clearTimeout(timer);
        this.#asking.delete(server);
        clearInterval(this.#away.get(server)?.remind);
      },
    };
  }

  /** Asks now: something has just failed. */
  look(): void {
    for (const ask of this.#asking.values()) ask();
  }

  /** Why it is away; null where it answers. */
  async #faultOf(ask: Ask, where: string): Promise<string | null> {
    const { timeoutMs, againMs } = this.#times;
    const giveUpAt = performance.now() + timeoutMs;
    const first = await within(ask(), timeoutMs);
    if (first === null) return null;
    if (first !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, againMs).unref());
      const second = await within(ask(), Math.max(leastMs, giveUpAt - performance.now()));
      if (second !== undefined) return second;
    }
    return silentFor(where, timeoutMs);
  }

  #setAway(server: ServerName, reason: string, starting: boolean): void {
    const known = this.#away.get(server);
    if (known) {
      known.reason = reason;
      return;
    }
    const since = new Date();
    const remind = setInterval(() => {
      const now = this.#away.get(server);
      if (now) this.#tell({ kind: 'away', server, reason: now.reason, since, again: true, starting: false });
    }, this.#times.remindMs).unref();
    this.#away.set(server, { server, reason, since, remind });
    this.#tell({ kind: 'away', server, reason, since, again: false, starting });
  }

  #setBack(server: ServerName): void {
    const known = this.#away.get(server);
    if (!known) return;
    clearInterval(known.remind);
    this.#away.delete(server);
    this.#tell({ kind: 'back', server, since: known.since });
  }

  #tell(event: ServerEvent): void {
    for (const hear of this.#listeners) hear(event);
  }
}

/** Resolves to why there is no answer, or to null. */
type Ask = () => Promise<string | null>;

/** One that hangs is waited for, not asked a second time. */
function once({ ask }: Question): Ask {
  let pending: Promise<string | null> | undefined;
  return () =>
    (pending ??= Promise.resolve()
      .then(ask)
      .then(() => null, reasonOf)
      .finally(() => (pending = undefined)));
}

function reasonOf(error: unknown): string {
  return errorMessage(error).replaceAll(/\s+/g, ' ');
}

/** Undefined after `ms`; a process that was frozen meanwhile first looks at what has come. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      timer = setTimeout(() => resolve(undefined), graceMs).unref();
    }, ms).unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function silentFor(where: string, ms: number): string {
  return `${where} has not answered for ${Math.round(ms / 1000)} s`;
}

/** Asks once: why it does not answer within `ms`; null where it does. Never rejects. */
export async function faultOf(question: Question, ms: number): Promise<string | null> {
  const fault = await within(once(question)(), ms);
  return fault === undefined ? silentFor(question.where, ms) : fault;
}

/** It gives up by itself, a little later than the watch does, so that a connection that fell silent does not stay in use. */
export function askDatabase({ pool, describe }: { pool: Pool; describe: string }): Question {
  const query = { text: 'select 1', query_timeout: usual.timeoutMs + 1000 };
  return { ask: () => pool.query(query), where: `PostgreSQL at ${describe}` };
}

/** Null where the topic is in the database, which is asked anyway. `existing`: brokers that do not have it are no help. */
export function askTopic(topic: Topic, { existing }: { existing: boolean }): Question | null {
  if (topic.kind === 'embedded') return null;
  const ask = async () => {
    if ((await topic.partitions()) > 0 || !existing) return;
    throw new VisionscaleError(`the topic ${topic.name} does not exist`, { code: 'topic_missing' });
  };
  return { ask, where: `Kafka, asked for the topic ${topic.name},` };
}

/** Once a minute the store is asked for a listing; in between by a request that costs a tenth on AWS. */
const listEvery = 40;

/** `listable`: whether a right to list is needed; who only writes may not have it. */
export function askStore(store: ObjectStore, { listable }: { listable: boolean }): Question {
  let asked = 0;
  const ask = async () => {
    let exists = true;
    try {
      exists = await store.exists({ quick: asked++ % listEvery !== 0 });
    } catch (error) {
      if (listable || !(error instanceof VisionscaleError && error.code === 'access_denied')) throw error;
    }
    if (exists) return;
    throw new VisionscaleError(`the object store ${store.url} does not exist`, { code: 'store_missing' });
  };
  return { ask, where: `the object store ${store.url}` };
}

/** One line of who is away and for how long; null where nobody is. */
export function awayLine(away: readonly Away[], now = Date.now()): string | null {
  if (away.length === 0) return null;
  return away
    .map(
      ({ server, reason, since }) =>
        `waiting for ${called[server]} for ${ageText(now - since.getTime())}: ${reason}`,
    )
    .join('; ');
}

/** What listens to a watch needs no more of it. */
export type Servers = Pick<ServerWatch, 'away' | 'listen'>;

/** Where none is watched. */
export const noServers: Servers = { away: [], listen: () => undefined };

/** As a person calls it. */
export const called: Record<ServerName, string> = {
  database: 'the database',
  topic: 'the topic',
  store: 'the object store',
};
