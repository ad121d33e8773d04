/** Decides what the outcomes of a group change, given the dead letters that their requests already have. */
import type { TopicRecord } from '../../message/record.ts';
import { messageId, retryNumber, valueDigest } from '../../message/retry.ts';
import type { KnownLetter } from './lock-requests.ts';
import type { DeadLetter, Outcome, Prediction } from './outcome.ts';
import { requestIdOf } from './outcome.ts';

export interface Settled {
  /** To be inserted where the request has no prediction yet. */
  predictions: Prediction[];
  /** To be inserted where the request has no prediction yet. */
  newLetters: DeadLetter[];
  /** Requests whose letter, new ones included, is resolved by one of the predictions; messages whose parts are answered. */
  resolved: string[];
  /** Retries that failed like what they retry, in the order they came. */
  failedAgain: DeadLetter[];
}

/**
 * A request without a dead letter: its first outcome counts. One with: only the retry that follows the letter's present
 * number of attempts, while it is open. Everything else was delivered once too often. `retries`: the messages among
 * those of the group that are retries, also where nothing came of them.
 */
export function settle(
  outcomes: readonly Outcome[],
  letters: ReadonlyMap<string, KnownLetter>,
  retries: readonly TopicRecord[] = [],
): Settled {
  const settled: Settled = { predictions: [], newLetters: [], resolved: [], failedAgain: [] };
  const now = new Map([...letters].map(([requestId, letter]) => [requestId, { ...letter }]));
  const wholes = new WholeLetters(now, retries);
  const predicted = new Set<string>();
  for (const outcome of outcomes) {
    const requestId = requestIdOf(outcome);
    if (!wholes.allow(outcome.record, requestId)) continue;
    const letter = now.get(requestId);
    if (letter === undefined) {
      if (predicted.has(requestId)) continue;
      if (outcome.kind === 'prediction') {
        predicted.add(requestId);
        settled.predictions.push(outcome);
      } else {
        now.set(requestId, { state: 'open', attempts: 1 });
        settled.newLetters.push(outcome);
      }
      continue;
    }
    if (letter.state !== 'open' || retryNumber(outcome.record.headers) !== letter.attempts) continue;
    if (outcome.kind === 'prediction') {
      letter.state = 'resolved';
      settled.predictions.push(outcome);
      settled.resolved.push(requestId);
    } else {
      letter.attempts++;
      settled.failedAgain.push(outcome);
    }
  }
  settled.resolved.push(...wholes.resolved(outcomes));
  return settled;
}

/**
 * A message that ended as one dead letter as a whole: what is in it counts only in the retry of that letter, which
 * resolves it, for every part of the message has an outcome of its own then. Such a retry brings the very value that the
 * letter keeps.
 */
class WholeLetters {
  readonly #letters: ReadonlyMap<string, KnownLetter>;
  readonly #retries: readonly TopicRecord[];
  /** By the letter's request id: the offset of the retry that counts. */
  readonly #counting = new Map<string, number>();

  constructor(letters: ReadonlyMap<string, KnownLetter>, retries: readonly TopicRecord[]) {
    this.#letters = letters;
    this.#retries = retries;
  }

  /** Whether an outcome of this message for this request may count. */
  allow(record: TopicRecord, requestId: string): boolean {
    const whole = messageId(record);
    return whole === requestId || !this.#letters.has(whole) || this.#counts(whole, record.offset);
  }

  /** Those whose retry was among the group, and answered in its parts, or asks for nothing any more. */
  resolved(outcomes: readonly Outcome[]): string[] {
    const own = new Set(outcomes.map(requestIdOf));
    for (const { offset, ...record } of this.#retries) {
      const whole = messageId({ ...record, offset });
      if (!own.has(whole) && this.#letters.has(whole)) this.#counts(whole, offset);
    }
    return [...this.#counting.keys()];
  }

  #counts(whole: string, offset: number): boolean {
    const counting = this.#counting.get(whole);
    if (counting !== undefined) return counting === offset;
    const letter = this.#letters.get(whole)!;
    const retried = this.#retries.find((record) => record.offset === offset);
    if (letter.state !== 'open' || retried === undefined) return false;
    if (
      retryNumber(retried.headers) !== letter.attempts ||
      valueDigest(retried.value).toString('hex') !== letter.digest
    )
      return false;
    this.#counting.set(whole, offset);
    return true;
  }
}
