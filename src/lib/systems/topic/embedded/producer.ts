/** Sends batches into the log in PostgreSQL. */
import type pg from 'pg';
import {
  checkHeaders,
  defaultMaxRecordBytes,
  messageTooLarge,
  recordBytes,
  topicMissing,
} from '../limits.ts';
import { partitionForKey } from '../partitioner.ts';
import type { OutgoingRecord, Placement, Producer } from '../topic.ts';
import { append } from './append.ts';
import type { Placed } from './append.ts';
import { asTopic } from './topic-error.ts';

/** A statement carries no more than this (one large record apart), so that no memory depends on the batch. */
const statementBytes = 4 * 1024 * 1024;
const statementRecords = 1_000;

export class EmbeddedProducer implements Producer {
  readonly #pool: pg.Pool;
  readonly #topic: string;
  readonly #partitions: number;
  readonly #onSent: () => void;
  readonly #sending = new Set<Promise<unknown>>();
  #spread: number;

  constructor(pool: pg.Pool, topic: string, partitions: number, onSent: () => void = () => undefined) {
    this.#pool = pool;
    this.#topic = topic;
    this.#partitions = partitions;
    this.#onSent = onSent;
    this.#spread = Math.floor(Math.random() * partitions);
  }

  async send(records: readonly OutgoingRecord[]): Promise<Placement[]> {
    checkHeaders(records);
    const tooLarge = records.filter((record) => recordBytes(record) > defaultMaxRecordBytes);
    const sending = asTopic(
      this.#topic,
      this.#append(records.filter((record) => !tooLarge.includes(record))),
    );
    const settled = sending.catch(() => undefined).finally(() => this.#sending.delete(settled));
    this.#sending.add(settled);
    const placements = await sending;
    this.#onSent();
    if (tooLarge.length > 0) throw messageTooLarge(tooLarge, defaultMaxRecordBytes);
    return placements;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sending);
  }

  async #append(records: readonly OutgoingRecord[]): Promise<Placement[]> {
    const placements: Placement[] = [];
    for (const batch of statements(
      records.map((record) => ({ record, partition: this.#partition(record) })),
    )) {
      const next = await append(this.#pool, this.#topic, batch);
      for (const { partition } of batch) {
        const offset = next.get(partition);
        if (offset === undefined) throw topicMissing(this.#topic);
        placements.push({ partition, offset });
        next.set(partition, offset + 1);
      }
    }
    return placements;
  }

  #partition({ key }: OutgoingRecord): number {
    if (key !== null) return partitionForKey(key, this.#partitions);
    this.#spread = (this.#spread + 1) % this.#partitions;
    return this.#spread;
  }
}

function* statements(batch: Placed[]): Generator<Placed[]> {
  let part: Placed[] = [];
  let bytes = 0;
  for (const placed of batch) {
    const size = recordBytes(placed.record);
    if (part.length > 0 && (part.length === statementRecords || bytes + size > statementBytes)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(placed);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
