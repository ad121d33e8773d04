/** What every consumer is handed, and what it tells. */
import type { Pool } from 'pg';
import type { ByteBudget, Load } from '../../base/flow/load.ts';
import type { Endurance } from '../../config/settings/consume.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { Sorting } from '../../systems/database/record/outcome.ts';
import type { MessageRules } from '../../systems/message/rules.ts';
import type { Buckets } from '../../systems/objects/open.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { ResultTopics } from '../../systems/publish/topics.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { CrashGuard } from './answer/crash-guard.ts';
import type { ConsumeEvent } from './events.ts';

export interface ConsumeDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
  /** Where the other buckets that `messages` allows come from. */
  buckets?: Buckets;
  classifier: Classifier;
  /** Where results and dead letters are published; absent: nowhere. */
  results?: ResultTopics;
  /** Why the active model does not run here, for `status`; null where it does. */
  modelProblem?: () => string | null;
  /** Kept up to date with what is in work, for whoever wants to see it. */
  load?: Load;
  report: (event: ConsumeEvent) => void;
}

/** What the partitions of one process share. */
export interface SharedByPartitions {
  budget: ByteBudget;
  load: Load;
  crashGuard: CrashGuard;
  sorting: Sorting;
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
  signal: AbortSignal;
}

/** Most messages of a partition being worked on, or finished and not yet recorded. */
export const messagesInFlight = 32;
