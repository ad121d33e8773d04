/** Offsets of a partition: where it is read from, where `--until-drained` ends, and what is committed to the topic. */
import type { Pool } from 'pg';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { aborted, pause } from '../../../base/flow/waiting.ts';
import { type Lease, type Position, readPosition } from '../../../systems/database/tables/owners.ts';
import type { Committer, PartitionBounds, Topic } from '../../../systems/topic/topic.ts';
import type { ConsumeDeps, ConsumeOptions } from '../options.ts';

/** How long a consumer that is told to stop waits for the topic to take its last commit, in milliseconds. */
const lastCommitMs = 1_000;
/** Longest wait for the record that was recorded last, in milliseconds. */
const rereadMs = 10_000;

/**
 * Where a consumer that owns the partition reads from: `resumeOffset`; or, once for each partition, from the first message of
 * `replay` on, where that is earlier. What has an outcome already keeps it.
 */
export async function startOffset(
  deps: Pick<ConsumeDeps, 'pool' | 'topic' | 'report'>,
  options: Pick<ConsumeOptions, 'pipeline' | 'skipExpired' | 'replay'>,
  lease: Lease,
): Promise<number> {
  const { partition } = lease;
  const start = await resumeOffset(deps, options, lease);
  if (options.replay === undefined || options.replay.begun.has(partition)) return start;
  const from = Math.min(start, await deps.topic.offsetAt(partition, options.replay.from.getTime()));
  options.replay.begun.add(partition);
  if (from < start) deps.report({ kind: 'replaying', partition, messages: start - from });
  return from;
}

/**
 * The database's position decides; the topic's committed offset only where the database has none; else the beginning. A
 * topic that was deleted and created again is read from its beginning. Throws `records_expired` where records were
 * deleted before they were read, unless that is accepted.
 */
async function resumeOffset(
  deps: Pick<ConsumeDeps, 'pool' | 'topic' | 'report'>,
  options: Pick<ConsumeOptions, 'pipeline' | 'skipExpired'>,
  lease: Lease,
): Promise<number> {
  const { topic } = deps;
  const { partition } = lease;
  const position = await readPosition(deps.pool, lease);
  const bounds = await topic.bounds(partition);
  if (position === null) {
    const committed = await topic.committed(options.pipeline, partition);
    return committed === null || committed > bounds.end ? bounds.first : Math.max(committed, bounds.first);
  }
  if (!(await isSameTopic(topic, lease, position, bounds))) {
    deps.report({ kind: 'another topic', partition, position: position.nextOffset });
    return bounds.first;
  }
  const expired = bounds.first - position.nextOffset;
  if (expired <= 0) return position.nextOffset;
  if (!options.skipExpired) {
    throw new TopicError(
      `${expired} messages of partition ${partition} of ${topic.name} were deleted by its retention before they were read`,
      {
        code: 'records_expired',
        hint: 'They are lost. To continue with the next: consume --skip-expired',
      },
    );
  }
  deps.report({ kind: 'skipped expired', partition, records: expired });
  return bounds.first;
}

/** Offsets begin anew in a topic that was created again; the record behind the position tells, by its time. */
async function isSameTopic(
  topic: Topic,
  { pipeline: group, partition }: Lease,
  { nextOffset, lastOffset, lastTimestamp }: Position,
  { first, end }: PartitionBounds,
): Promise<boolean> {
  if (nextOffset > end) return false;
  if (lastOffset === null || lastOffset < first || lastOffset >= end) return true;
  await using reader = await topic.reader({ partition, from: lastOffset, group, prefetchRecords: 1 });
  for await (const record of reader.records(AbortSignal.timeout(rereadMs))) {
    // Compaction may have removed it: nothing speaks against the topic then.
    return record.offset !== lastOffset || record.timestamp === lastTimestamp;
  }
  throw new TopicError(
    `record ${lastOffset} of partition ${partition} of ${topic.name} could not be read again`,
    {
      code: 'broker_unavailable',
      retryable: true,
    },
  );
}

/** The ends as they were at the start, and whether everything before them is recorded, by whomever. */
export class Ends {
  readonly #ends: Map<number, number>;
  readonly #pool: Pool;
  readonly #id: { pipeline: string; topic: string };

  private constructor(pool: Pool, id: { pipeline: string; topic: string }, ends: Map<number, number>) {
    this.#pool = pool;
    this.#id = id;
    this.#ends = ends;
  }

  static async at(
    pool: Pool,
    topic: Topic,
    options: ConsumeOptions,
    partitions: readonly number[],
  ): Promise<Ends> {
    const ends = new Map<number, number>();
    for (const partition of partitions) {
      const { first, end } = await topic.bounds(partition);
      // A partition that never had a record has no position either.
      if (end > first) ends.set(partition, end);
    }
    return new Ends(pool, { pipeline: options.pipeline, topic: topic.name }, ends);
  }

  /** The end to stop at; where there is nothing (more) to do, 0. */
  of(partition: number): number {
    return this.#ends.get(partition) ?? 0;
  }

  /** The partitions that are not known to be drained. */
  get left(): number[] {
    return [...this.#ends.keys()];
  }

  /** This process has recorded everything before the end. */
  reached(partition: number): void {
    this.#ends.delete(partition);
  }

  /**
   * Whether the partition's owner has come to the end. Only for what somebody else owns: the owner has made sure that
   * the position belongs to this topic, and not to one of the same name that was deleted.
   */
  async reachedByOwner(partition: number): Promise<boolean> {
    const position = await readPosition(this.#pool, { ...this.#id, partition });
    if (position !== null && position.nextOffset >= this.of(partition)) this.#ends.delete(partition);
    return !this.#ends.has(partition);
  }
}

/**
 * Commits behind the recording: one at a time, always the newest, never in the way.
 *
 * What is committed here is for lag tools and autoscalers; a consumer starts from the database's position. So a failure
 * is told and forgotten, and the next commit brings the newer offset.
 */
export class LatestCommit {
  readonly #committer: Committer;
  readonly #partition: number;
  readonly #onFailure: (reason: string) => void;
  #next: number | undefined;
  #running: Promise<void> | undefined;

  constructor(committer: Committer, partition: number, onFailure: (reason: string) => void) {
    this.#committer = committer;
    this.#partition = partition;
    this.#onFailure = onFailure;
  }

  commit(offset: number): void {
    this.#next = offset;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Settles when everything asked for so far has been tried; soon after `stop` aborts, also where Kafka does not answer. */
  async flush(stop: AbortSignal): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    const tried = new AbortController();
    void running.then(() => tried.abort());
    await Promise.race([running, aborted(stop).then(() => pause(lastCommitMs, tried.signal))]);
  }

  async #run(): Promise<void> {
    while (this.#next !== undefined) {
      const offset = this.#next;
      this.#next = undefined;
      try {
        await this.#committer.commit(this.#partition, offset);
      } catch (error) {
        this.#onFailure(errorMessage(error));
      }
    }
  }
}
