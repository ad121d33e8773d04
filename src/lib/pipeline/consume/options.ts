/** What every consumer is handed, and what it tells. */
import type { Pool } from 'pg';
import type { ByteBudget, Load } from '../../base/flow/load.ts';
import type { Endurance } from '../../config/settings/consume.ts';
import type { NewPrediction, Outcome, Sorting } from '../../systems/database/record/outcome.ts';
import type { Drift } from '../../systems/database/tables/consumers.ts';
import type { MessageRules } from '../../systems/message/rules.ts';
import type { Buckets } from '../../systems/objects/open.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { PublishEvent } from '../../systems/publish/publisher.ts';
import type { ResultTopics } from '../../systems/publish/topics.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { CrashGuard } from './answer/crash-guard.ts';
import type { Models } from './models.ts';
import type { LeaseKeeper } from './partition/leases.ts';

export interface ConsumeDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
  /** Where the other buckets that `messages` allows come from. */
  buckets?: Buckets;
  models: Models;
  /** Where results and dead letters are published; absent: nowhere. */
  results?: ResultTopics;
  /** Kept up to date with what is in work, for whoever wants to see it. */
  load?: Load;
  report: (event: ConsumeEvent) => void;
}

/** What the partitions of one process share. */
export interface SharedByPartitions {
  budget: ByteBudget;
  load: Load;
  crashGuard: CrashGuard;
  leases: LeaseKeeper;
  sorting: Sorting;
}

export interface Replay {
  from: Date;
  /** Partitions that this process has begun to replay: from then on their position counts. */
  begun: Set<number>;
}

export interface ConsumeOptions extends Endurance {
  pipeline: string;
  /** Unique to this process. */
  owner: string;
  hostname: string;
  maxImageBytes: number;
  /** How messages are read; default: events of no bucket are answered. */
  messages?: MessageRules;
  /** From capture to row, in milliseconds: what takes longer goes to the manual bin; absent: no deadline. */
  deadlineMs?: number;
  /** Most bytes of images in memory, over all partitions of the process. */
  imageMemoryBytes: number;
  /** Stop when caught up with the end as it was at the start. */
  untilDrained: boolean;
  /** Go on where retention deleted messages before they were read. */
  skipExpired: boolean;
  /** Read once more what is at least as young as this. */
  replay?: Replay;
  signal: AbortSignal;
}

/**
 * Longest that an ordered end may take, in milliseconds: what is in work, what is to be published, what is to be closed. Whoever
 * starts and stops consumers gives them longer than that.
 */
export const endMs = 20_000;
/** Most messages of a partition being worked on, or finished and not yet recorded. */
export const messagesInFlight = 32;

export type ConsumeEvent =
  | { kind: 'standing by'; partition: number | null; holder: string }
  | { kind: 'owning'; partition: number; epoch: number; from: number; lag: number }
  | RecordedEvent
  | {
      kind: 'dead letter';
      partition: number;
      offset: number;
      imageKey: string | null;
      code: string;
      message: string;
    }
  /** Null: before it owns anything. */
  | { kind: 'waiting'; partition: number | null; reason: string }
  /** Null: what the consumer as a whole waited for is there. */
  | { kind: 'going on'; partition: number | null }
  /** One attempt failed for a reason that may pass. */
  | { kind: 'retrying'; partition: number; stage: 'fetch' | 'classify' | 'record'; code: string }
  /** One of them has changed without anything recorded. */
  | { kind: 'lag'; partition: number; lag: number; oldest: number | null }
  | { kind: 'commit failed'; partition: number; reason: string }
  /** How many the topic has: at the start, and when it has gained some. */
  | { kind: 'partitions'; partition: null; partitions: number }
  /** Other rules sort from now on; null: there are none any more. */
  | { kind: 'bins'; partition: null; version: number | null }
  /** A belt has changed, or is again as it was. */
  | { kind: 'drift'; partition: null; drift: Drift; over: boolean }
  | PublishEvent
  /** The topic was deleted and created again since the position was recorded: it is read from its beginning. */
  | { kind: 'another topic'; partition: number; position: number }
  /** So many messages before the position are read once more. */
  | { kind: 'replaying'; partition: number; messages: number }
  | { kind: 'skipped expired'; partition: number; records: number }
  /** Somebody has moved these messages into dead letters while they were in work. */
  | { kind: 'passed over'; partition: number; from: number; to: number }
  /** The former owner ended abnormally: so many messages are taken one at a time. */
  | { kind: 'careful'; partition: number; messages: number }
  /** Nothing moves and nobody knows why; null: it moves again. */
  | { kind: 'stalled'; partition: number; reason: string | null }
  /** Still stalled: the process is about to end. */
  | { kind: 'giving up'; partition: number; reason: string }
  | { kind: 'lost'; partition: number; epoch: number }
  | { kind: 'released'; partition: number };

/** A group of messages is in the database. */
export interface RecordedEvent {
  kind: 'recorded';
  partition: number;
  /** New rows and new dead letters. */
  predicted: number;
  deadLettered: number;
  /** What asked for nothing: test and delete events. */
  ignored: number;
  lag: number;
  /** When the oldest message that was taken and is not recorded came into the topic, in milliseconds since the epoch; null: there is none, or its topic does not say. */
  oldest: number | null;
  /** What was worked on, whether it was new or its row was there already. */
  outcomes: readonly Outcome[];
  /** The new rows. */
  predictions: readonly NewPrediction[];
  /** When the recording began and ended, in milliseconds since the epoch. */
  began: number;
  ended: number;
}
