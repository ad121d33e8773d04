/** A header alone resolves no dead letter: only the message that the letter keeps, sent once more, is its retry. */
import type { PoolClient } from 'pg';
import { beginsLikeJson } from '../../message/parse.ts';
import { header, type TopicRecord } from '../../message/record.ts';
import { positionRequestId } from '../../message/request.ts';
import { messageId, retryNumber, valueDigest } from '../../message/retry.ts';
import type { Outcome } from './outcome.ts';
import { requestIdOf } from './outcome.ts';

/** Of a message that says it is a retry: what tells it from another message. */
export interface RetryClaim {
  /** SHA-256 of the value. */
  digest: Buffer;
  /** The image is named within JSON, where another setting may find another key. */
  isJson: boolean;
}

/** Null where the message does not say so. */
export function claimOf({ headers, value }: TopicRecord): RetryClaim | null {
  if (retryNumber(headers) === null) return null;
  return { digest: valueDigest(value), isJson: beginsLikeJson(value ?? Buffer.alloc(0)) };
}

/** SQL: the claim in the columns of `claim` is no retry of the dead letter `d`. */
export const isForged = (claim: string) => `(sha256(coalesce(d.message_value, ''::bytea)) <> ${claim}.digest
  or not ${claim}.is_json and d.image_key <> ${claim}.image_key)`;

/** Where a forged retry brings the id in its header, its message has none of its own: its place is its id. */
export function unclaimedId({ headers, ...at }: TopicRecord, requestId: string): string {
  if (headers[header.requestId] !== requestId) return requestId;
  return positionRequestId(at.topic, at.partition, at.offset, at.timestamp);
}

export interface Claimed {
  outcomes: readonly Outcome[];
  /** The messages that say that they retry a dead letter, also where nothing came of them. */
  retries?: readonly TopicRecord[];
}

/**
 * Makes a message like any other of each that says that it retries a letter, of a request or of a message as a whole, and is
 * another message than the letter's.
 */
export async function withoutForgedRetries(
  client: PoolClient,
  pipeline: string,
  { outcomes, retries = [] }: Claimed,
): Promise<Required<Claimed>> {
  const claims = outcomes.map((outcome) => claimOf(outcome.record));
  if (claims.every((claim) => claim === null)) return { outcomes, retries };
  // An outcome keeps what asked for it alone; the letter of a message as a whole, all of it.
  const wholes = outcomes.map(({ record }) => retries.find(({ offset }) => offset === record.offset) ?? null);
  const { rows } = await client.query<{ nth: number; whole: boolean }>(
    `select (nth - 1)::int as nth, bool_or(d.request_id is not distinct from c.message_id) as whole from unnest($2::text[], $3::text[], $4::bytea[], $5::boolean[], $6::text[], $7::bytea[])
       with ordinality as c (request_id, image_key, digest, is_json, message_id, message_digest, nth)
     join dead_letters d on d.pipeline = $1 and (d.request_id = c.request_id and ${isForged('c')}
       or d.request_id = c.message_id and sha256(coalesce(d.message_value, '')) <> c.message_digest) group by nth`,
    [
      pipeline,
      outcomes.map(requestIdOf),
      outcomes.map((one) => (one.kind === 'prediction' ? one.request.imageKey : one.imageKey)),
      claims.map((claim) => claim?.digest ?? null),
      claims.map((claim) => claim?.isJson ?? null),
      wholes.map((whole) => whole && messageId(whole)),
      wholes.map((whole) => whole && claimOf(whole)!.digest),
    ],
  );
  const forged = new Set(rows.map(({ nth }) => nth));
  // A part may have a letter of its own, of another message: that says nothing about the rest of this one.
  const whole = rows.filter((row) => row.whole).map(({ nth }) => outcomes[nth]!.record.offset);
  const offsets = new Set(whole);
  return {
    outcomes: outcomes.map((outcome, nth) => (forged.has(nth) ? unclaimed(outcome) : outcome)),
    retries: retries.filter(({ offset }) => !offsets.has(offset)),
  };
}

function unclaimed(outcome: Outcome): Outcome {
  const { [header.retry]: _forged, ...headers } = outcome.record.headers;
  const id = unclaimedId(outcome.record, requestIdOf(outcome));
  const record = { ...outcome.record, headers };
  return outcome.kind === 'prediction'
    ? { ...outcome, record, request: { ...outcome.request, id } }
    : { ...outcome, record, requestId: id };
}
