/** What retention may delete: images and outcomes that are old, answered, and can be asked for by no message any more. */
import type { Pool, PoolClient } from 'pg';

export interface PruneScope {
  pipeline: string;
  topic: string;
  /** Older than this. */
  before: Date;
  /** By partition: messages before this offset have left the topic. */
  firstOffsets: readonly number[];
}

/** Of an outcome: no consumer can read its message once more and miss the outcome. Another topic's cannot be judged. */
const gone = (outcome: string) =>
  `(${outcome}.topic = $1 and ${outcome}."offset" < coalesce(($3::int8[])[${outcome}.partition + 1], 0))`;

const produced = `'p:' || i.round || ':' || i.image_key`;

/** An image belongs to all pipelines: each that ever recorded something must have answered it. */
const prunableImage = `
  i.uploaded_at < $2 and i.produced_at < $2
  and not exists (select from corrections c where c.image_key = i.image_key)
  and not exists (select from dead_letters d where d.image_key = i.image_key and d.state = 'open')
  and not exists (
    select from (select pipeline from positions union select $4) as p
    where not exists (select from prediction_results r where r.pipeline = p.pipeline and r.request_id = ${produced}
        and r.time < $2 and ${gone('r')})
      and not exists (select from dead_letters d where d.pipeline = p.pipeline and d.request_id = ${produced}
        and d.state <> 'open' and d.last_at < $2 and ${gone('d')}))`;

/** Of what no row of image_info stands for, in its present round. */
const ofNoImage = (outcome: string) => `
  not exists (select from image_info i where i.image_key = ${outcome}.image_key and ${outcome}.request_id = ${produced})
  and not exists (select from corrections c where c.pipeline = $4 and c.image_key = ${outcome}.image_key)`;

const prunableResult = `r.pipeline = $4 and r.time < $2 and ${gone('r')} and ${ofNoImage('r')}`;
const prunableLetter = `d.pipeline = $4 and d.state <> 'open' and d.last_at < $2 and ${gone('d')} and ${ofNoImage('d')}`;

const parameters = ({ topic, before, firstOffsets, pipeline }: PruneScope) => [
  topic,
  before,
  firstOffsets,
  pipeline,
];

export interface Prunable {
  /** Rows of image_info, each with its object and outcomes. */
  images: number;
  bytes: number;
  /** Outcomes of anything else. */
  results: number;
  deadLetters: number;
}

/** What is as old and stays, by the first reason for it. */
export interface Kept {
  openDeadLetters: number;
  corrected: number;
  /** Images that a pipeline has not answered. */
  unanswered: number;
  /** Images and other results whose messages the topic still has. */
  inTopic: number;
}

/** By the database's clock. */
export async function timeBefore(pool: Pool, ageMs: number): Promise<Date> {
  const { rows } = await pool.query<{ at: Date }>(
    `select clock_timestamp() - $1 * interval '1 millisecond' as at`,
    [ageMs],
  );
  return rows[0]!.at;
}

export async function countPrunable(pool: Pool, scope: PruneScope): Promise<Prunable> {
  const { rows } = await pool.query<Prunable>(
    `select count(*)::int8 as images, coalesce(sum(i.bytes), 0)::int8 as bytes,
       (select count(*)::int8 from prediction_results r where ${prunableResult}) as results,
       (select count(*)::int8 from dead_letters d where ${prunableLetter}) as "deadLetters"
     from image_info i where ${prunableImage}`,
    parameters(scope),
  );
  return rows[0]!;
}

export async function countKept(pool: Pool, scope: PruneScope): Promise<Kept> {
  const { rows } = await pool.query<Kept>(
    `with old as (
       select exists (select from corrections c where c.image_key = i.image_key) as corrected,
         exists (select from dead_letters d where d.image_key = i.image_key and d.state = 'open') as open,
         exists (select from (select pipeline from positions union select $4) as p
           where not exists (select from prediction_results r where r.pipeline = p.pipeline and r.request_id = ${produced})
             and not exists (select from dead_letters d where d.pipeline = p.pipeline and d.request_id = ${produced})) as unanswered,
         exists (select from prediction_results r where r.request_id = ${produced} and not ${gone('r')})
           or exists (select from dead_letters d where d.request_id = ${produced} and not ${gone('d')}) as "inTopic"
       from image_info i where i.uploaded_at < $2)
     select
       (select count(*)::int8 from dead_letters d where d.pipeline = $4 and d.state = 'open' and d.last_at < $2)
         as "openDeadLetters",
       count(*) filter (where corrected)::int8 as corrected,
       count(*) filter (where unanswered and not corrected)::int8 as unanswered,
       count(*) filter (where "inTopic" and not unanswered and not open and not corrected)::int8
         + (select count(*)::int8 from prediction_results r
            where r.pipeline = $4 and r.time < $2 and not ${gone('r')} and ${ofNoImage('r')}) as "inTopic"
     from old`,
    parameters(scope),
  );
  return rows[0]!;
}

/** Locked until the transaction ends, so that no new round begins meanwhile; in key order, after the one given. */
export async function lockImages(
  client: PoolClient,
  scope: PruneScope,
  after: string,
  limit: number,
): Promise<{ key: string; bytes: number }[]> {
  const { rows } = await client.query<{ key: string; bytes: number }>(
    `select i.image_key as key, coalesce(i.bytes, 0)::int8 as bytes from image_info i
     where i.image_key > $5 and ${prunableImage} order by i.image_key limit $6 for update of i skip locked`,
    [...parameters(scope), after, limit],
  );
  return rows;
}

/** The rows of these images, and what any pipeline has recorded of them, in any round. */
export async function deleteImages(
  client: PoolClient,
  { topic, before, firstOffsets }: PruneScope,
  keys: readonly string[],
): Promise<void> {
  const old = (outcome: string, at: string) =>
    `${outcome}.image_key = any($4) and ${outcome}.request_id like 'p:%' and ${at} < $2 and ${gone(outcome)}`;
  const values = [topic, before, firstOffsets, keys];
  await client.query(`delete from prediction_results r where ${old('r', 'r.time')}`, values);
  await client.query(
    `delete from dead_letters d where ${old('d', 'd.last_at')} and d.state <> 'open'`,
    values,
  );
  await client.query('delete from image_info where image_key = any($1)', [keys]);
}

export interface OldOutcome {
  id: number;
  requestId: string;
  imageKey: string | null;
}

/** Predictions or closed letters of what is no image of image_info; in the order of their ids, after the one given. */
export async function oldOutcomes(
  pool: Pool,
  scope: PruneScope,
  table: 'prediction_results' | 'dead_letters',
  after: number,
  limit: number,
): Promise<OldOutcome[]> {
  const [name, condition] =
    table === 'prediction_results' ? (['r', prunableResult] as const) : (['d', prunableLetter] as const);
  const { rows } = await pool.query<OldOutcome>(
    `select ${name}.id, ${name}.request_id as "requestId", ${name}.image_key as "imageKey"
     from ${table} ${name} where ${name}.id > $5 and ${condition} order by ${name}.id limit $6`,
    [...parameters(scope), after, limit],
  );
  return rows;
}

export async function deleteOutcomes(
  pool: Pool,
  pipeline: string,
  table: 'prediction_results' | 'dead_letters',
  outcomes: readonly OldOutcome[],
): Promise<number> {
  const { rowCount } = await pool.query(
    `with ingested_too as (delete from ingested where pipeline = $1 and request_id = any($3))
     delete from ${table} where pipeline = $1 and id = any($2::int8[])`,
    [pipeline, outcomes.map(({ id }) => id), outcomes.map(({ requestId }) => requestId)],
  );
  return rowCount ?? 0;
}
