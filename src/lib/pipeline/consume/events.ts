/** What a consumer tells, about its partitions and what it records. */
import type { NewPrediction, Outcome } from '../../systems/database/record/outcome.ts';
import type { PublishEvent } from '../../systems/publish/publisher.ts';

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
  | { kind: 'going on'; partition: number }
  /** One attempt failed for a reason that may pass. */
  | { kind: 'retrying'; partition: number; stage: 'fetch' | 'classify' | 'record'; code: string }
  /** It has changed without anything recorded. */
  | { kind: 'lag'; partition: number; lag: number }
  | { kind: 'commit failed'; partition: number; reason: string }
  /** Other rules sort from now on; null: there are none any more. */
  | { kind: 'bins'; partition: null; version: number | null }
  | PublishEvent
  /** The topic was deleted and created again since the position was recorded: it is read from its beginning. */
  | { kind: 'another topic'; partition: number; position: number }
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
  /** What was worked on, whether it was new or its row was there already. */
  outcomes: readonly Outcome[];
  /** The new rows. */
  predictions: readonly NewPrediction[];
  /** When the recording began and ended, in milliseconds since the epoch. */
  began: number;
  ended: number;
}
