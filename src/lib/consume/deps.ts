/** What every consumer is handed, and what it tells. */
import type { Pool } from 'pg';
import type { Classifier } from '../classifier/classifier.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Topic } from '../topic/topic.ts';

export interface ConsumeDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
  classifier: Classifier;
  /** Why the active model does not run here, for `status`; null where it does. */
  modelProblem?: () => string | null;
  report: (event: ConsumeEvent) => void;
}

export interface ConsumeOptions {
  pipeline: string;
  /** Unique to this process. */
  owner: string;
  hostname: string;
  maxImageBytes: number;
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
  | { kind: 'waiting'; partition: number; reason: string }
  | { kind: 'going on'; partition: number }
  | { kind: 'commit failed'; partition: number; reason: string }
  /** The topic was deleted and created again since the position was recorded: it is read from its beginning. */
  | { kind: 'another topic'; partition: number; position: number }
  | { kind: 'skipped expired'; partition: number; records: number }
  | { kind: 'lost'; partition: number; epoch: number }
  | { kind: 'released'; partition: number };

/** Most messages of a partition being worked on, or finished and not yet recorded. */
export const messagesInFlight = 32;
