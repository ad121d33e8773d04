/** What every consumer is handed, and what it tells. */
import type { Pool } from 'pg';
import type { Classifier } from '../classifier/classifier.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Topic } from '../topic/topic.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { CrashGuard } from './crash-guard.ts';

export interface ConsumeDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
  classifier: Classifier;
  /** Why the active model does not run here, for `status`; null where it does. */
  modelProblem?: () => string | null;
  report: (event: ConsumeEvent) => void;
}

/** What the partitions of one process share. */
export interface Shared {
  budget: ByteBudget;
  crashGuard: CrashGuard;
}

/** How long what may pass is waited for, in milliseconds. */
export interface Endurance {
  /** An object may be missing for so long behind its message. */
  notFoundGraceMs: number;
  /** One object may go on failing for so long while others succeed. */
  giveUpAfterMs: number;
  /** Messages wait, nothing is recorded, no cause is known: the process gives up after this. 0: never. */
  stallTimeoutMs: number;
}

export interface ConsumeOptions extends Endurance {
  pipeline: string;
  /** Unique to this process. */
  owner: string;
  hostname: string;
  maxImageBytes: number;
  /** Most bytes of images in memory, over all partitions of the process. */
  imageMemoryBytes: number;
  /** Stop when caught up with the end as it was at the start. */
  untilDrained: boolean;
  /** Go on where retention deleted messages before they were read. */
  skipExpired: boolean;
  signal: AbortSignal;
}

export type ConsumeEvent =
  | { kind: 'standing by'; partition: number | null; holder: string }
  | { kind: 'owning'; partition: number; epoch: number; from: number; lag: number }
  | { kind: 'recorded'; partition: number; predicted: number; deadLettered: number; lag: number }
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
  | { kind: 'going on'; partition: number }
  | { kind: 'commit failed'; partition: number; reason: string }
  /** The topic was deleted and created again since the position was recorded: it is read from its beginning. */
  | { kind: 'another topic'; partition: number; position: number }
  | { kind: 'skipped expired'; partition: number; records: number }
  /** The former owner ended abnormally: so many messages are taken one at a time. */
  | { kind: 'careful'; partition: number; messages: number }
  /** Nothing moves and nobody knows why; null: it moves again. */
  | { kind: 'stalled'; partition: number; reason: string | null }
  /** Still stalled: the process is about to end. */
  | { kind: 'giving up'; partition: number; reason: string }
  | { kind: 'lost'; partition: number; epoch: number }
  | { kind: 'released'; partition: number };

/** What the settings say where nobody says otherwise. */
export const defaultEndurance: Endurance = {
  notFoundGraceMs: 2000,
  giveUpAfterMs: 15 * 60_000,
  stallTimeoutMs: 60_000,
};
export const defaultImageMemoryBytes = 256 * 1024 ** 2;

/** Most messages of a partition being worked on, or finished and not yet recorded. */
export const messagesInFlight = 32;
