/**
 * The verb `audit`: what was asked for against what came of it, for one pipeline and topic. Nothing is held in memory
 * but a page of each side; the rest is the database's.
 */
import type { Pool } from 'pg';
import type { MessageRules } from '../../systems/message/rules.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { copyTopic } from './copy-topic.ts';
import { compareObjects, type ObjectCounts } from './objects.ts';
import { compareRequests } from './requests.ts';
import { type AuditSession, openSession } from './session.ts';

interface AuditDeps {
  pool: Pool;
  topic: Topic;
  /** Null: objects are not looked at. */
  store: ObjectStore | null;
  report: (event: AuditEvent) => void;
}

interface AuditOptions {
  pipeline: string;
  /** How the consumers read messages; default: as they do without settings. */
  rules?: MessageRules;
  /** Most names of each class. */
  limit: number;
  /** An object that nothing names is orphaned. */
  nameUnlisted: boolean;
  signal: AbortSignal;
}

export type AuditEvent =
  | { kind: 'topic'; offsets: number }
  | { kind: 'read'; offsets: number }
  | { kind: 'comparing' }
  | { kind: 'images'; images: number }
  | { kind: 'compared'; images: number }
  | { kind: 'notice'; text: string };

export interface AuditResult {
  /** Nothing is missing, doubled, orphaned or mismatched. */
  ok: boolean;
  missing: number;
  doubled: number;
  orphaned: number;
  mismatched: number;
  /** The first of each class. */
  named: Record<FindingClass, Finding[]>;
  /** How many were found and not named, because of the limit. */
  unnamed: number;
  pipeline: string;
  topic: string;
  images: number;
  /** Images that are not produced in their round yet. */
  toProduce: number;
  /** That the topic holds. */
  messages: number;
  /** Requests without an outcome that the topic still has before it. */
  waiting: number;
  predictions: number;
  /** Open ones. */
  deadLetters: number;
  /** Outcomes whose message is gone from the topic and which no row names: nobody can say who asked for them. */
  unverifiable: number;
  /** Null where they were not looked at. */
  objects: number | null;
  /** Objects that no row, message, prediction or dead letter names. */
  unlisted: number | null;
  seconds: number;
}

/**
 * Safe while everything runs: what is still on its way is `waiting` or `toProduce`, not missing. Throws a TopicError
 * (`topic_missing`, away), the store's errors, a DatabaseError, or `interrupted`; nothing is left behind.
 */
export async function audit(deps: AuditDeps, options: AuditOptions): Promise<AuditResult> {
  const { topic, store, report } = deps;
  const { pipeline, rules, limit, nameUnlisted, signal } = options;
  const began = performance.now();
  // What is wrong with the store shows now, not after a million messages.
  if (store !== null) for await (const _ of store.list()) break;
  await using session = await openSession(deps.pool, signal);
  const messages = await copyTopic(session, topic, {
    pipeline,
    rules,
    signal,
    onTotal: (offsets) => report({ kind: 'topic', offsets }),
    onRead: (offsets) => report({ kind: 'read', offsets }),
    onNotice: (text) => report({ kind: 'notice', text }),
  });
  report({ kind: 'comparing' });
  const counts = await count(session, pipeline);
  const requests = await compareRequests(session, { pipeline, topic: topic.name });
  let objects: ObjectCounts | null = null;
  if (store !== null) {
    report({ kind: 'images', images: counts.images });
    const onCompared = (images: number) => report({ kind: 'compared', images });
    objects = await compareObjects(session, store, { pipeline, limit, nameUnlisted, onCompared });
  }
  const found = await readFound(session, limit);
  return {
    ok: findingClasses.every((name) => found[name] === 0),
    ...found,
    pipeline,
    topic: topic.name,
    ...counts,
    messages,
    ...requests,
    objects: objects?.objects ?? null,
    unlisted: objects?.unlisted ?? null,
    seconds: Math.round(performance.now() - began) / 1000,
  };
}

type Counts = Pick<AuditResult, 'images' | 'toProduce' | 'predictions' | 'deadLetters'>;

async function count(session: AuditSession, pipeline: string): Promise<Counts> {
  const { rows } = await session.query<Counts>(
    `select (select count(*) from image_info) as images,
       (select count(*) from image_info where produced_at is null) as "toProduce",
       (select count(*) from prediction_results where pipeline = $1) as predictions,
       (select count(*) from dead_letters where pipeline = $1 and state = 'open') as "deadLetters"`,
    [pipeline],
  );
  return rows[0]!;
}

type Found = Pick<AuditResult, FindingClass | 'named' | 'unnamed'>;

async function readFound(session: AuditSession, limit: number): Promise<Found> {
  const found: Found = {
    missing: 0,
    doubled: 0,
    orphaned: 0,
    mismatched: 0,
    named: { missing: [], doubled: [], orphaned: [], mismatched: [] },
    unnamed: 0,
  };
  const { rows: counts } = await session.query<{ class: FindingClass; count: number }>(
    'select class, count(*) as count from audit_found group by class',
  );
  for (const { class: name, count } of counts) {
    found[name] = count;
    const { rows } = await session.query<FoundRow>(
      'select * from audit_found where class = $1 order by n limit $2',
      [name, limit],
    );
    found.named[name] = rows.map(toFinding);
    found.unnamed += count - rows.length;
  }
  return found;
}

export const findingClasses = ['missing', 'doubled', 'orphaned', 'mismatched'] as const;
type FindingClass = (typeof findingClasses)[number];

type FindingKind =
  /**
   * missing: a message lies before the recorded position, and its request has no outcome and comes no more. mismatched:
   * the outcome under its request id is another image's.
   */
  | 'message'
  /** missing: marked as produced, but there is neither an outcome nor a message. */
  | 'row'
  /** missing: a row whose object is gone. orphaned: an object that nothing names. */
  | 'object'
  /** doubled: a request with a prediction and an open dead letter. */
  | 'outcomes'
  /** doubled: a message recorded as what it asks for, and as another request too. */
  | 'position'
  /**
   * doubled: more than one prediction for one round of an image. orphaned: a prediction that nothing asked for.
   * mismatched: a prediction whose request id names another image.
   */
  | 'prediction'
  /** orphaned: a dead letter that nothing asked for. mismatched: one whose request id names another image. */
  | 'dead_letter';

interface Finding {
  /** The image key; null where a message that could not be read had none. */
  key: string | null;
  requestId?: string;
  kind: FindingKind;
  detail: string;
}

/** As the database holds it until it is told. */
interface FoundRow {
  class: FindingClass;
  kind: FindingKind;
  image_key: string | null;
  request_id: string | null;
  partition: number | null;
  offset: number | null;
  /** How many there are, where that is the fault. */
  count: number | null;
}

function toFinding(row: FoundRow): Finding {
  return {
    key: row.image_key,
    ...(row.request_id !== null && { requestId: row.request_id }),
    kind: row.kind,
    detail: explain(row),
  };
}

function explain({ class: found, kind, partition, offset, count }: FoundRow): string {
  if (found === 'mismatched' && kind !== 'message') return 'its request id names another image';
  const place = `partition ${partition}, offset ${offset}`;
  switch (kind) {
    case 'message':
      if (found === 'mismatched')
        return `its message (${place}) has the request id of another image, so it counted as a duplicate`;
      return `its message (${place}) is before the recorded position, but has no prediction or dead letter`;
    case 'row':
      return 'it is marked as produced, but has no prediction or dead letter, and its message is not in the topic';
    case 'object':
      return found === 'missing'
        ? 'its object is missing from the object store'
        : 'no row, message, prediction or dead letter refers to this object';
    case 'outcomes':
      return 'it has a prediction and an open dead letter';
    case 'position':
      return `recorded for ${place}, but that message is another request, which is recorded too`;
    case 'prediction':
      return found === 'doubled'
        ? `${count} predictions for one round of this image`
        : `nothing asked for this prediction (recorded for ${place})`;
    case 'dead_letter':
      return `nothing asked for this dead letter (recorded for ${place})`;
  }
}
