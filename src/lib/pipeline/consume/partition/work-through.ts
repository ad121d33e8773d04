/** The messages of an owned partition: read → fetch → decode → preprocess → infer → record → commit. */
import { faultCode } from '../../../base/errors.ts';
import { orderedGroups } from '../../../base/flow/ordered-groups.ts';
import { retry } from '../../../base/flow/retry.ts';
import { wasMoved } from '../../../systems/database/record/move-message.ts';
import { type Lease, readPosition, skipGap } from '../../../systems/database/tables/owners.ts';
import { wholeOf } from '../../../systems/message/parse.ts';
import type { TopicRecord } from '../../../systems/message/record.ts';
import { retryNumber } from '../../../systems/message/retry.ts';
import { defaultRules } from '../../../systems/message/rules.ts';
import type { Reader, Committer } from '../../../systems/topic/topic.ts';
import { epochMs, type StoreOf } from '../answer/answer-request.ts';
import { answerRecord, type AnswerDeps } from '../answer/answer.ts';
import type { Guard } from '../answer/crash-guard.ts';
import { InHand } from '../answer/in-hand.ts';
import { patienceByBucket } from '../answer/patience.ts';
import {
  type ConsumeDeps,
  type ConsumeOptions,
  messagesInFlight,
  type SharedByPartitions,
} from '../options.ts';
import { LatestCommit } from './offsets.ts';

import { PassedOver } from './passed-over.ts';
import { groupRecorder } from './record-group.ts';
import { type Waits, type StalledError, Watchdog } from './watchdog.ts';

export interface PartitionWork {
  from: number;
  /** The partition's end as last seen. */
  end: number;
  signal: AbortSignal;
  /** Cuts fetching and classifying short. */
  hardStop: AbortSignal;
  waits: Waits;
  /** Told why nothing seems to move, and null when it moves again. */
  onStall: (reason: string | null) => void;
  /** Outcomes have been recorded, by whomever: they may be published. */
  onRecorded: (recorded: { predicted: number; deadLettered: number }) => void;
}

/** Messages that are worked on with one way of working: so many at once, each behind the guard. */
interface Stretch {
  /** One past the last; null: for ever. */
  until: number | null;
  inFlight: number;
  guard: Guard;
}

/** Ends when everything up to the task's end is recorded, or at the signal. */
export async function workThrough(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  task: PartitionTask,
  work: PartitionWork,
): Promise<void> {
  const { pool, topic, store, report } = deps;
  const { lease } = task;
  const { partition } = lease;
  const { signal, hardStop, waits } = work;
  const { maxImageBytes, hostname } = options;
  const by = { hostname, sorting: deps.sorting };
  const inHand = new InHand();
  const passed = new PassedOver();
  const storeOf: StoreOf = async (bucket) => {
    if (bucket === null) return store;
    if (deps.buckets === undefined)
      throw new TypeError('a bucket is allowed, but there is nothing to open it');
    return deps.buckets.of(bucket);
  };
  const patienceOf = patienceByBucket(options, async (bucket, key) => {
    const other = await storeOf(bucket);
    return other.get(key, { maxBytes: maxImageBytes, signal }).then(
      () => true,
      () => false,
    );
  });
  let next = work.from;
  let die: (error: StalledError) => void = () => undefined;
  const dead = new Promise<never>((_, reject) => (die = reject));

  await using reader = await topic.reader({ partition, from: work.from, group: options.pipeline });
  const source = new RecordSource(reader, work.from);
  const drained = new AbortController();
  using watchdog = new Watchdog(work.end, {
    topic,
    partition,
    waits,
    inHand,
    worked: () => deps.models.pipelines.workedMs?.() ?? 0,
    position: () => next,
    stallTimeoutMs: options.stallTimeoutMs,
    onStall: (error) => work.onStall(error?.message ?? null),
    onDead: (error) => {
      report({ kind: 'giving up', partition, reason: error.message });
      die(error);
    },
    onTick: () => {
      tellLag();
      void overGap().catch(() => undefined);
      void overMoved().catch(() => undefined);
    },
  });
  const commits = new LatestCommit(task.committer ?? reader, partition, (reason) =>
    report({ kind: 'commit failed', partition, reason }),
  );

  let told = { lag: work.end - work.from, oldest: null as number | null };
  const backlog = () => ({ lag: watchdog.end - next, oldest: source.oldestFrom(next) });
  const tellLag = () => {
    const { lag, oldest } = backlog();
    if (lag !== told.lag || oldest !== told.oldest) report({ kind: 'lag', partition, lag, oldest });
    told = { lag, oldest };
  };

  const through = async ({ until, inFlight, guard }: Stretch): Promise<void> => {
    const rules = options.messages ?? defaultRules;
    const answering = { rules, maxImageBytes, storeOf, patienceOf, waits, inHand, guard, hardStop };
    const answerDeps: AnswerDeps = { ...deps, ...answering };
    const groups = orderedGroups(
      (s) => source.upTo(until, AbortSignal.any([s, drained.signal])),
      (message, s) => passed.during(message, s, (signal) => answerRecord(message, answerDeps, signal)),
      { inFlight, signal },
    );
    for await (const group of groups) {
      const { offset } = group.at(-1)!.record;
      const began = epochMs();
      const { deadLetters, ...recorded } = await waits.during((onWait) => {
        const waiting = {
          signal,
          onWait: (error: unknown) => {
            report({ kind: 'retrying', partition, stage: 'record', code: faultCode(error) });
            onWait(error);
          },
        };
        const recordGroup = groupRecorder(pool, lease, by, group, (one) => passed.settled(one));
        return retry(() => recordGroup(waiting), waiting);
      });
      next = offset + 1;
      work.onRecorded(recorded);
      commits.commit(next);
      for (const { record, imageKey, code, message } of deadLetters)
        report({ kind: 'dead letter', partition, offset: record.offset, imageKey, code, message });
      const outcomes = group.flatMap((answered) => answered.outcomes);
      const times = { began, ended: epochMs() };
      told = backlog();
      report({ kind: 'recorded', partition, ...recorded, ...told, outcomes, ...times });
    }
  };

  /** Where the log's last offsets hold no record, the position moves over them, so that nothing seems to be left. */
  const overGap = async () => {
    const caughtUp = reader.caughtUpTo;
    // Only where everything that was taken is recorded.
    if (caughtUp === null || caughtUp <= next || source.taken > next) return;
    await skipGap(pool, lease, caughtUp);
    next = Math.max(next, caughtUp);
    commits.commit(next);
    if (task.until !== null && next >= task.until) drained.abort();
  };

  /** Where nothing moves, somebody may have moved what is in the way: the position in the database is behind it then. */
  let stoodAt = -1;
  let movedTo = -1;
  const overMoved = async () => {
    const stands = stoodAt === next && source.taken > next;
    stoodAt = next;
    if (!stands) return;
    const [head] = passed.inWork;
    // Of one that was moved before it was taken, nothing counts; a retry of it does.
    if (head !== undefined && retryNumber(head.headers) === null) {
      const { requestId } = wholeOf(head, options.messages ?? defaultRules);
      if (await wasMoved(pool, lease.pipeline, requestId)) {
        passed.moveOver(head.offset);
        work.onRecorded({ predicted: 0, deadLettered: 1 });
        report({ kind: 'passed over', partition, from: head.offset, to: head.offset + 1 });
        return;
      }
    }
    const position = (await readPosition(pool, lease))?.nextOffset ?? next;
    // Seen twice: what we have just recorded ourselves is known here a moment later than there.
    const again = position === movedTo;
    movedTo = position;
    if (position <= next || !again) return;
    passed.moveTo(position);
    work.onRecorded({ predicted: 0, deadLettered: 1 });
    report({ kind: 'passed over', partition, from: next, to: position });
  };

  const all = async () => {
    for (const stretch of stretches(deps, task, work)) await through(stretch);
    await commits.flush(signal);
  };
  // A stalled one is left where it hangs: the process is about to end.
  await Promise.race([all(), dead]);
}

/** What may have been in work beyond the recorded position: while a group is being recorded the next one is in work. */
const atRisk = 2 * messagesInFlight;

/** After an abnormal end, what may have been in work is taken one at a time; then as usual. */
function* stretches(
  deps: ConsumeDeps & SharedByPartitions,
  task: PartitionTask,
  work: PartitionWork,
): Generator<Stretch> {
  const { lease, until } = task;
  const { crashGuard, report } = deps;
  const window = Math.min(work.end, work.from + atRisk, until ?? Infinity);
  if (lease.orphaned && window > work.from) {
    report({ kind: 'careful', partition: lease.partition, messages: window - work.from });
    yield { until: window, inFlight: 1, guard: crashGuard.alone };
    if (window === until) return;
  }
  yield { until, inFlight: messagesInFlight, guard: crashGuard.beside };
}

/** A partition's records in stretches: what one stretch read too far is where the next one begins. */
export class RecordSource {
  readonly #reader: Reader;
  readonly #unrecorded: Pick<TopicRecord, 'offset' | 'timestamp'>[] = [];
  #ahead: TopicRecord | undefined;
  #taken: number;

  constructor(reader: Reader, from: number) {
    this.#reader = reader;
    this.#taken = from;
  }

  /** One past the last record that was handed out or read too far. */
  get taken(): number {
    return this.#taken;
  }

  /** The timestamp of the first record from this offset on that was taken, and forgets those before; null where there is none, or it has none. */
  oldestFrom(offset: number): number | null {
    while (this.#unrecorded[0] !== undefined && this.#unrecorded[0].offset < offset) this.#unrecorded.shift();
    const [oldest] = this.#unrecorded;
    return oldest === undefined || oldest.timestamp <= 0 ? null : oldest.timestamp;
  }

  /** The records before offset `end` (null: all, for ever). Ends without an error when `signal` aborts. */
  async *upTo(end: number | null, signal: AbortSignal): AsyncGenerator<TopicRecord> {
    const isBefore = (offset: number) => end === null || offset < end;
    if (this.#ahead !== undefined) {
      const record = this.#ahead;
      if (!isBefore(record.offset)) return;
      this.#ahead = undefined;
      yield record;
      if (!isBefore(record.offset + 1)) return;
    }
    for await (const record of this.#reader.records(signal)) {
      this.#taken = record.offset + 1;
      this.#unrecorded.push({ offset: record.offset, timestamp: record.timestamp });
      if (!isBefore(record.offset)) {
        this.#ahead = record;
        return;
      }
      yield record;
      if (!isBefore(record.offset + 1)) return;
    }
  }
}

export interface PartitionTask {
  lease: Lease;
  /** Read up to here and no further; null: for ever. */
  until: number | null;
  /** Where offsets are committed; by default the reader itself. */
  committer?: Committer;
}
