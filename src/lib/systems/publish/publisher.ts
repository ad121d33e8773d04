/** Publishes what the outbox holds for one partition, each topic at its own pace and in its order, at least once. */
import type { Pool } from 'pg';
import { errorMessage, TopicError } from '../../base/errors.ts';
import { retry } from '../../base/flow/retry.ts';
import { aborted } from '../../base/flow/waiting.ts';
import {
  forgetRefusals,
  markRefused,
  nextMessages,
  type OutboxKind,
  type OutboxMessage,
} from '../database/tables/outbox.ts';
import type { PartitionId } from '../database/tables/owners.ts';
import { header, type OutgoingRecord } from '../message/record.ts';
import { RefusedError } from '../topic/limits.ts';
import type { ResultTopics } from './topics.ts';

export type PublishEvent =
  | { kind: 'published'; partition: number; what: OutboxKind; messages: number }
  /**
   * It waits, and is tried again; recording goes on. Told once a reason. `refused`: so many will not be taken as they
   * are; they are kept until the partition has another owner, and what follows them goes on.
   */
  | { kind: 'not published'; partition: number; what: OutboxKind; reason: string; refused?: number }
  | { kind: 'publishing again'; partition: number; what: OutboxKind };

export interface PublisherDeps {
  pool: Pool;
  topics: ResultTopics;
  report: (event: PublishEvent) => void;
}

/** Most messages read and sent at once; each has about a kilobyte. */
const batch = 500;

/** Runs from its construction on. Never throws: whatever happens, what is not acknowledged stays in the outbox. */
export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #id: PartitionId & { kind: OutboxKind };
  readonly #over = new AbortController();
  readonly #running: Promise<void>;
  #wake: () => void = () => undefined;
  #asked = true;
  #finishing = false;
  #waiting: string | null = null;

  constructor(deps: PublisherDeps, { pipeline, topic, partition }: PartitionId, kind: OutboxKind) {
    this.#deps = deps;
    this.#id = { pipeline, topic, partition, kind };
    this.#running = this.#run();
  }

  /** There is something new. */
  wake(): void {
    this.#asked = true;
    this.#wake();
  }

  /** Settles when nothing is left, or when `signal` aborts. */
  async finish(signal: AbortSignal): Promise<void> {
    this.#finishing = true;
    this.wake();
    const giveUp = () => this.abandon();
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    await Promise.race([this.#running, aborted(this.#over.signal)]);
    signal.removeEventListener('abort', giveUp);
  }

  /** Leaves the rest to the partition's next owner. */
  abandon(): void {
    this.#over.abort();
    this.#wake();
  }

  async #run(): Promise<void> {
    const { pool, report } = this.#deps;
    const { signal } = this.#over;
    let acknowledged: number[] = [];
    let after = 0;
    if ((await this.#patiently(() => forgetRefusals(pool, this.#id).then(() => true))) === null) return;
    while (!signal.aborted) {
      this.#asked = false;
      const messages = await this.#patiently(() =>
        nextMessages(pool, this.#id, { acknowledged, after, limit: batch }),
      );
      if (messages === null) return;
      acknowledged = [];
      if (messages.length === 0) {
        if (this.#finishing) return;
        if (!this.#asked) await this.#woken();
        continue;
      }
      const sent = await this.#patiently(() => this.#send(messages));
      if (sent === null) return;
      const { refused, reason } = sent;
      const { partition, kind: what } = this.#id;
      if (refused.length > 0) {
        if ((await this.#patiently(() => markRefused(pool, refused, reason).then(() => true))) === null)
          return;
        report({ kind: 'not published', partition, what, reason, refused: refused.length });
      }
      acknowledged = messages.map(({ id }) => id).filter((id) => !refused.includes(id));
      after = messages.at(-1)!.id;
      if (acknowledged.length > 0)
        report({ kind: 'published', partition, what, messages: acknowledged.length });
    }
  }

  /** Returns what the topic refused; all others are in it. */
  async #send(messages: readonly OutboxMessage[]): Promise<{ refused: number[]; reason: string }> {
    const { topics } = this.#deps;
    const { kind } = this.#id;
    const producer = await topics.producer(kind);
    const records = messages.map(toRecord);
    try {
      await producer.send(records);
      return { refused: [], reason: '' };
    } catch (error) {
      if (error instanceof TopicError && error.code === 'topic_missing') await topics.forget(kind, producer);
      if (!(error instanceof RefusedError)) throw error;
      const refused = messages.filter((_, nth) => error.records.includes(records[nth]!)).map(({ id }) => id);
      return { refused, reason: errorMessage(error) };
    }
  }

  /** Until it succeeds; null where it is over before. */
  async #patiently<T>(step: () => Promise<T>): Promise<T | null> {
    const { partition, kind: what } = this.#id;
    try {
      const done = await retry(step, {
        signal: this.#over.signal,
        // Somebody may grant the right that is missing.
        shouldRetry: () => true,
        onWait: (error) => this.#tell(errorMessage(error)),
      });
      if (this.#waiting !== null) this.#deps.report({ kind: 'publishing again', partition, what });
      this.#waiting = null;
      return done;
    } catch {
      return null;
    }
  }

  #tell(reason: string): void {
    if (reason === this.#waiting) return;
    this.#waiting = reason;
    const { partition, kind: what } = this.#id;
    this.#deps.report({ kind: 'not published', partition, what, reason });
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/** The message's key brings what concerns one image into one partition, in order. */
function toRecord({ key, payload }: OutboxMessage): OutgoingRecord {
  const { id, traceparent } = payload as { id: string; traceparent: string | null };
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(JSON.stringify(payload)),
    headers: {
      [header.contentType]: 'application/json',
      [header.requestId]: id,
      ...(traceparent !== null && { [header.traceparent]: traceparent }),
    },
  };
}

/** What an owner of a partition publishes: results and dead letters, each at its own pace. */
export class Publication {
  readonly #results: Publisher;
  readonly #dead: Publisher;

  /** Begins with what a former owner has left. */
  constructor(deps: PublisherDeps, partition: PartitionId) {
    this.#results = new Publisher(deps, partition, 'result');
    this.#dead = new Publisher(deps, partition, 'dead');
  }

  /** Outcomes have been recorded. */
  recorded({ predicted, deadLettered }: { predicted: number; deadLettered: number }): void {
    if (predicted > 0) this.#results.wake();
    if (deadLettered > 0) this.#dead.wake();
  }

  /** Settles when nothing is left, or when `signal` aborts: then the next owner goes on with it. */
  async finish(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#results.finish(signal), this.#dead.finish(signal)]);
  }

  /** At once: the partition is somebody else's, or what is needed is away. */
  abandon(): void {
    this.#results.abandon();
    this.#dead.abandon();
  }
}
