/** Decides what the outcomes of a group change, given the dead letters that their requests already have; these are locked before. */
import type { PoolClient } from 'pg';
import type { TopicRecord } from '../../message/record.ts';
import { messageId, retryNumber, valueDigest } from '../../message/retry.ts';
import { planned } from '../session.ts';
import { type DeadLetter, type Outcome, type Prediction, requestIdOf } from './outcome.ts';

// Transactions that bring an outcome for the same request wait for each other, in whatever partitions it was.

export interface KnownLetter {
  state: 'open' | 'resolved' | 'dropped';
  attempts: number;
  /** SHA-256 of the message's value in hex, where it was asked for. */
  digest?: string | null;
}

interface RequestsToLock {
  /** Of the outcomes to be recorded. */
  requestIds: readonly string[];
  /** Under which a message may have ended as a whole. Nobody but the owner of its partition records for it. */
  messageIds?: readonly string[];
  /** Of retries: the digest is needed. */
  retriedIds?: readonly string[];
}

/**
 * Most requests of a transaction that are locked one by one: what a full group of ordinary messages asks for. PostgreSQL
 * has room for 64 locks a connection with its defaults, for tables and indexes too.
 */
const mostRequestLocks = 32;

/**
 * Until the end of the transaction nobody else can record for these requests, nor drop or resolve their dead letters.
 * Returns the dead letters there are, by request id.
 *
 * A transaction shares the lock of its pipeline and takes one for each request; one with more requests than that takes
 * the pipeline's lock for itself instead, so that no message, however much it asks for, fills the server's lock table.
 * The pipeline's comes first, the others in the order of their numbers, so that two transactions never wait for one
 * another; they are a statement of their own, for the next one has to see what the transaction waited for has left.
 */
export async function lockRequests(
  client: PoolClient,
  pipeline: string,
  { requestIds, messageIds = [], retriedIds = [] }: RequestsToLock,
): Promise<Map<string, KnownLetter>> {
  const known = [...new Set([...requestIds, ...messageIds])];
  if (known.length === 0) return new Map();
  const ids = [...new Set(requestIds)];
  const whole = ids.length > mostRequestLocks;
  const locking = `with numbers as materialized (
       select 0 as rank, hashtextextended('requests of ' || $1, 0) as number
       union
       select 1, hashtextextended('request ' || $1 || ' ' || id, 0) from unnest($2::text[]) as ids (id)
       order by rank, number)
     select count(case when rank = 0 and not $3 then pg_advisory_xact_lock_shared(number)
       else pg_advisory_xact_lock(number) end) from numbers`;
  await client.query(planned(client, 'record-locks', locking, [pipeline, whole ? [] : ids, whole]));
  const { rows } = await client.query<KnownLetter & { requestId: string }>(
    `select request_id as "requestId", state, attempts,
       case when request_id = any($3) then encode(sha256(coalesce(message_value, '')), 'hex') end as digest
     from dead_letters where pipeline = $1 and request_id = any($2) order by id for update`,
    [pipeline, known, retriedIds],
  );
  return new Map(rows.map(({ requestId, ...letter }) => [requestId, letter]));
}

// What the outcomes change.

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
