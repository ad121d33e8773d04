/**
 * Requests against their outcomes, in the database. Positions and outcomes are written in one transaction, and each
 * question here is one statement, which sees one moment: consumers that run meanwhile cannot make it cry wolf.
 */
import { isForged } from '../../systems/database/record/retry-claims.ts';
import type { AuditSession } from './session.ts';

export interface Scope {
  pipeline: string;
  topic: string;
}

/** As `producedRequestId` makes it. */
const producedId = `'p:' || i.round || ':' || i.image_key`;

const outcomes = `
  select 'prediction' as kind, image_key, request_id, partition, "offset" from prediction_results
  where pipeline = $1 and topic = $2
  union all
  select 'dead_letter', image_key, request_id, partition, "offset" from dead_letters
  where pipeline = $1 and topic = $2 and state <> 'resolved'`;

const hasNoOutcome = (id: string) => `
  not exists (select from prediction_results r where r.pipeline = $1 and r.request_id = ${id})
  and not exists (select from dead_letters d where d.pipeline = $1 and d.request_id = ${id} and d.state <> 'resolved')`;

/** As `messageId` makes it, of a row of audit_topic: the id under which a message may have ended as one dead letter. */
const wholeId = (t: string) =>
  `coalesce(${t}.message_id, $2 || '/' || ${t}.partition || '/' || ${t}."offset" || '@' || ${t}.timestamp_ms)`;

/** Of a message that the database took nothing of: its letters, one for each part, are numbered. All of them, or none. */
const messageOf = (letter: string) => `regexp_replace(${letter}.request_id, '(@\\d+)#\\d+$', '\\1')`;

/** What only says that it retries a dead letter counts as a message like any other. */
const forgedRetries = (id: string, instead: string) => `
update audit_topic t set ${id} = ${instead} from dead_letters d
where t.digest is not null and d.pipeline = $1 and d.request_id = t.${id} and ${isForged('t')}`;

/** A request is waiting as long as one of its messages lies behind the position; `waiting` counts those. */
const missingMessages = `
with behind as (
  select l.partition, case when p.next_offset is null then l.start_offset
    when p.next_offset = l.stale_offset then l.first_offset else p.next_offset end as next_offset
  from audit_partitions l
  left join positions p on p.pipeline = $1 and p.topic = $2 and p.partition = l.partition
), unanswered as materialized (
  select t.request_id, max(t.image_key) as image_key, min(t.partition) as partition, min(t."offset") as "offset",
    bool_or(t."offset" >= behind.next_offset) as waiting
  from audit_topic t join behind using (partition)
  where t.request_id is not null and ${hasNoOutcome('t.request_id')}
    and not exists (select from dead_letters w where w.pipeline = $1 and w.request_id = ${wholeId('t')})
    and not exists (select from dead_letters w where w.pipeline = $1 and w.code = 'not_recordable'
      and ${messageOf('w')} = ${wholeId('t')})
  group by t.request_id
), found as (
  insert into audit_found (class, kind, image_key, request_id, partition, "offset")
  select 'missing', 'message', image_key, request_id, partition, "offset" from unanswered
  where not waiting order by partition, "offset"
)
select count(*) as waiting from unanswered where waiting`;

/**
 * Marks come after the topic's acknowledgement, so what was marked before the audit began was in the topic when its
 * ends were asked for, and is in the copy unless retention has deleted it.
 */
const missingRows = `
insert into audit_found (class, kind, image_key, request_id)
select 'missing', 'row', i.image_key, ${producedId} from image_info i
where i.produced_at <= (select at from audit_began)
  and ${hasNoOutcome(producedId)}
  and not exists (select from audit_topic t where t.request_id = ${producedId})
order by i.image_key collate "C"`;

const doubledOutcomes = `
insert into audit_found (class, kind, image_key, request_id)
select 'doubled', 'outcomes', r.image_key, request_id
from prediction_results r join dead_letters d using (pipeline, request_id)
where pipeline = $1 and d.state = 'open' order by d.id`;

/** The unique index forbids it for one spelling of an id, as long as there is that index. */
const doubledPredictions = `
insert into audit_found (class, kind, image_key, request_id, count)
select 'doubled', 'prediction', image_key, max(request_id), count(*) from (
  select image_key, request_id, ltrim(split_part(request_id, ':', 2), '0') as round from prediction_results
  where pipeline = $1 and request_id like 'p:%' and right(request_id, length(image_key) + 1) = ':' || image_key
    and length(request_id) = length('p:') + length(split_part(request_id, ':', 2)) + length(':' || image_key)
) as produced
group by image_key, round having count(*) > 1 order by image_key collate "C"`;

/** Outcomes under an id that `produce` or `serve` makes of an image key, and of another one. */
const mismatchedOutcomes = `
insert into audit_found (class, kind, image_key, request_id, partition, "offset")
select 'mismatched', kind, image_key, request_id, partition, "offset" from (${outcomes}) as o
where substring(request_id from '^p:[0-9]+:(.*)$') <> image_key
  or (request_id ~ '^h:([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64})$'
    and (image_key not like 'http/%' or split_part(image_key, '/', 3) <> substr(request_id, 3)))
order by partition, "offset", request_id`;

/** The id of an event's record is made of its key as written, which settings may have let stand for another key. */
const mismatchedMessages = `
insert into audit_found (class, kind, image_key, request_id, partition, "offset")
select 'mismatched', 'message', t.image_key, t.request_id, t.partition, t."offset"
from audit_topic t join (${outcomes}) as o using (request_id)
where t.image_key <> o.image_key and t.request_id not like 's3:%'
  and not exists (select from audit_found f where f.class = 'mismatched' and f.request_id = t.request_id)
order by t.partition, t."offset", t.nth`;

/**
 * An outcome was asked for by a message that the topic holds, or by a row that has come to that round. What else there
 * is, is judged where its message must still be there; `unverifiable` counts what is older than that: recorded before
 * the partition's oldest message was written, or for an offset that retention or compaction has deleted.
 */
const unasked = `
create temporary table audit_unasked as
select o.kind, o.image_key, o.request_id, o.partition, o."offset", case
    when o.kind = 'dead_letter' and o.request_id = ${wholeId('a')} then 'asked'
    when o.code = 'not_recordable' and ${messageOf('o')} = ${wholeId('a')} then 'asked'
    when l.since is null or o.time < l.since or o."offset" < l.first_offset then 'unverifiable'
    when o."offset" >= l.end_offset then
      case when o.time >= (select at from audit_began) then 'young' else 'unasked' end
    when a.timestamp_ms is null or o.time < to_timestamp(a.timestamp_ms / 1000.0) then 'unverifiable'
    else 'unasked' end as verdict
from (
  select 'prediction' as kind, image_key, request_id, partition, "offset", time, null as code from prediction_results
  where pipeline = $1 and topic = $2
  union all
  select 'dead_letter', image_key, request_id, partition, "offset", first_at, code from dead_letters
  where pipeline = $1 and topic = $2
) as o
left join audit_partitions l on l.partition = o.partition
left join audit_topic a on a.partition = o.partition and a."offset" = o."offset" and a.nth = 0
where not exists (select from audit_topic t where t.request_id = o.request_id)
  and not exists (select from image_info i where i.image_key = o.image_key
    and o.request_id = 'p:' || substring(o.request_id from '^p:([0-9]{1,9}):') || ':' || i.image_key
    and i.round >= substring(o.request_id from '^p:([0-9]{1,9}):')::int)`;

/** Named once: what is doubled is not orphaned as well. */
const orphans = `
insert into audit_found (class, kind, image_key, request_id, partition, "offset")
select case when twin then 'doubled' else 'orphaned' end, case when twin then 'position' else kind end,
  image_key, request_id, partition, "offset"
from (
  select u.*, exists (
    select from audit_topic t where t.partition = u.partition and t."offset" = u."offset" and (
      exists (select from prediction_results r where r.pipeline = $1 and r.request_id = t.request_id
        and r.topic = $2 and r.partition = u.partition and r."offset" = u."offset")
      or exists (select from dead_letters d where d.pipeline = $1 and d.request_id = t.request_id
        and d.topic = $2 and d.partition = u.partition and d."offset" = u."offset"))) as twin
  from audit_unasked u where verdict = 'unasked'
    and not exists (select from audit_found f where f.class in ('doubled', 'mismatched') and f.request_id = u.request_id)
) as judged
order by partition, "offset", request_id`;

/** Finds what is missing, doubled and orphaned among the requests. The topic has been copied before. */
export async function compareRequests(
  session: AuditSession,
  { pipeline, topic }: Scope,
): Promise<{ waiting: number; unverifiable: number }> {
  await session.query(forgedRetries('request_id', 't.place_id'), [pipeline]);
  await session.query(forgedRetries('message_id', 'null'), [pipeline]);
  const { rows } = await session.query<{ waiting: number }>(missingMessages, [pipeline, topic]);
  await session.query(missingRows, [pipeline]);
  await session.query(doubledOutcomes, [pipeline]);
  await session.query(doubledPredictions, [pipeline]);
  await session.query(mismatchedOutcomes, [pipeline, topic]);
  await session.query(mismatchedMessages, [pipeline, topic]);
  await session.query(unasked, [pipeline, topic]);
  const { rows: verdicts } = await session.query<{ unverifiable: number; unasked: number }>(
    `select count(*) filter (where verdict = 'unverifiable') as unverifiable,
       count(*) filter (where verdict = 'unasked') as unasked from audit_unasked`,
  );
  const { unverifiable = 0, unasked: suspects = 0 } = verdicts[0] ?? {};
  if (suspects > 0) {
    await session.query('create index on audit_topic (partition, "offset")');
    await session.query(orphans, [pipeline, topic]);
  }
  return { waiting: rows[0]?.waiting ?? 0, unverifiable };
}
