/** Decides what the outcomes of a group change, given the dead letters that their requests already have. */
import { retryNumber } from '../message/retry.ts';
import type { KnownLetter } from './lock-requests.ts';
import type { DeadLetter, Outcome, Prediction } from './record.ts';

export interface Settled {
  /** To be inserted where the request has no prediction yet. */
  predictions: Prediction[];
  /** To be inserted where the request has no prediction yet. */
  newLetters: DeadLetter[];
  /** Requests whose letter, new ones included, is resolved by one of the predictions. */
  resolved: string[];
  /** Retries that failed like what they retry, in the order they came. */
  failedAgain: DeadLetter[];
}

export function requestIdOf(outcome: Outcome): string {
  return outcome.kind === 'prediction' ? outcome.request.id : outcome.requestId;
}

/**
 * A request without a dead letter: its first outcome counts. One with: only the retry that follows the letter's present
 * number of attempts, while it is open. Everything else was delivered once too often.
 */
export function settle(outcomes: readonly Outcome[], letters: ReadonlyMap<string, KnownLetter>): Settled {
  const settled: Settled = { predictions: [], newLetters: [], resolved: [], failedAgain: [] };
  const now = new Map([...letters].map(([requestId, letter]) => [requestId, { ...letter }]));
  const predicted = new Set<string>();
  for (const outcome of outcomes) {
    const requestId = requestIdOf(outcome);
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
  return settled;
}
