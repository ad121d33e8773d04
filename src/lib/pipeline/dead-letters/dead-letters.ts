/** The verb `dead-letters`: sends selected dead letters through the topic once more, or drops them. */
import type { Pool } from 'pg';
import { errorMessage, TopicError, VisionscaleError } from '../../base/errors.ts';
import { outageMs, retry } from '../../base/flow/retry.ts';
import {
  countLetters,
  dropPage,
  letterStates,
  markRetrySent,
  type PageBounds,
  retryPage,
  type RetryRow,
  type Selection,
} from '../../systems/database/tables/dead-letters.ts';
import { retryMessage } from '../../systems/message/retry.ts';
import type { Producer, Topic } from '../../systems/topic/topic.ts';

export interface DeadLetterOptions {
  /** Its state does not matter: only open letters can be retried or dropped. */
  selection: Selection;
  /** Most letters. */
  limit?: number;
  signal: AbortSignal;
  /** How long what is away is waited for, in milliseconds; default: five minutes. */
  giveUpAfterMs?: number | undefined;
  report: (event: DeadLetterEvent) => void;
}

export type DeadLetterEvent =
  | { kind: 'selected'; letters: number }
  | { kind: 'done'; letters: number }
  /** Named by its id, and nothing to do. */
  | { kind: 'closed'; id: number; state: string }
  /** The topic does not take its message. */
  | { kind: 'refused'; id: number; reason: string }
  /** Something is away; the step is tried again. */
  | { kind: 'waiting'; reason: string };

export interface RetryResult {
  retried: number;
  topic: string;
  /** Letters whose message is larger than what the topic takes. */
  refused: number;
}

/** Letters a page: what is in memory, on its way, and marked in one statement. */
const pageSize = 1000;
const pageBytes = 8 * 1024 * 1024;

/**
 * A retry carries the number of attempts its letter had, and counts only while the letter still has that number: sent
 * twice (killed before the mark, or asked for twice) it is recorded once.
 */
export async function retryDeadLetters(
  pool: Pool,
  topic: Topic,
  options: DeadLetterOptions,
): Promise<RetryResult> {
  const result: RetryResult = { retried: 0, topic: topic.name, refused: 0 };
  await using producer = await topic.producer();
  await eachPage(pool, options, async (bounds) => {
    const page = await patiently(options, () => retryPage(pool, options.selection, bounds, pageBytes));
    const refused = await patiently(options, () => send(producer, page));
    for (const [id, reason] of refused) options.report({ kind: 'refused', id, reason });
    const ids = page.map(({ id }) => id);
    const sent = ids.filter((id) => !refused.has(id));
    await patiently(options, () => markRetrySent(pool, sent));
    result.retried += sent.length;
    result.refused += refused.size;
    return ids;
  });
  return result;
}

/** A dropped letter stays as it is: neither a retry nor the message itself, delivered again, changes it. */
export async function dropDeadLetters(pool: Pool, options: DeadLetterOptions): Promise<{ dropped: number }> {
  let dropped = 0;
  await eachPage(pool, options, async (bounds) => {
    const ids = await patiently(options, () => dropPage(pool, options.selection, bounds));
    dropped += ids.length;
    return ids;
  });
  return { dropped };
}

/** Keyset pages of what is open now, until there are none or the signal aborts. */
async function eachPage(
  pool: Pool,
  options: DeadLetterOptions,
  work: (bounds: PageBounds) => Promise<number[]>,
): Promise<void> {
  const { selection, limit = Infinity, signal, report } = options;
  if (selection.ids) await lookUp(pool, options, selection.ids);
  const { letters, lastId } = await countLetters(pool, { ...selection, state: 'open' });
  report({ kind: 'selected', letters: Math.min(letters, limit) });
  for (let after = 0, left = limit; left > 0 && !signal.aborted;) {
    const ids = await work({ after, lastId, limit: Math.min(pageSize, left) });
    if (ids.length === 0) return;
    report({ kind: 'done', letters: ids.length });
    after = Math.max(...ids);
    left -= ids.length;
  }
}

/** An id that does not exist is a slip of the pen; one that is closed already is as somebody wanted it. */
async function lookUp(pool: Pool, { selection, report }: DeadLetterOptions, ids: readonly number[]) {
  const states = await letterStates(pool, selection.pipeline, ids);
  const missing = ids.filter((id) => !states.has(id));
  if (missing.length > 0) throw letterMissing(selection.pipeline, missing);
  for (const [id, state] of states) if (state !== 'open') report({ kind: 'closed', id, state });
}

export function letterMissing(pipeline: string, ids: readonly number[]): VisionscaleError {
  const which = ids.length === 1 ? `no dead letter ${ids[0]}` : `no dead letters ${ids.join(', ')}`;
  return new VisionscaleError(`the pipeline ${pipeline} has ${which}`, {
    code: 'dead_letter_missing',
    hint: 'visionscale dead-letters list --state all lists all of them.',
  });
}

/** Returns the letters that the topic refuses for their size, with the reason. */
async function send(producer: Producer, page: readonly RetryRow[]): Promise<Map<number, string>> {
  try {
    await producer.send(page.map(retryMessage));
    return new Map();
  } catch (error) {
    if (!isTooLarge(error)) throw error;
  }
  // Which ones it was, only each alone can tell; those that are in the topic twice now count once.
  const refused = new Map<number, string>();
  for (const letter of page) {
    await producer.send([retryMessage(letter)]).catch((error: unknown) => {
      if (!isTooLarge(error)) throw error;
      refused.set(letter.id, errorMessage(error));
    });
  }
  return refused;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof TopicError && error.code === 'message_too_large';
}

function patiently<T>(
  { signal, giveUpAfterMs = outageMs, report }: DeadLetterOptions,
  step: () => Promise<T>,
): Promise<T> {
  return retry(step, {
    signal,
    forMs: giveUpAfterMs,
    onWait: (error) => report({ kind: 'waiting', reason: errorMessage(error) }),
  });
}
