/**
 * The verb `audit`: what was asked for against what came of it, for one pipeline and topic. Nothing is held in memory
 * but a page of each side; the rest is the database's.
 */
import type { Pool } from 'pg';
import type { MessageRules } from '../../systems/message/rules.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { copyTopic } from './copy-topic.ts';
import { type Finding, type FindingClass, findingClasses, type FoundRow, toFinding } from './findings.ts';
import { compareObjects, type ObjectCounts } from './objects.ts';
import { compareRequests } from './requests.ts';
import { openSession, type AuditSession } from './session.ts';

export type { Finding } from './findings.ts';

export interface AuditDeps {
  pool: Pool;
  topic: Topic;
  /** Null: objects are not looked at. */
  store: ObjectStore | null;
  report: (event: AuditEvent) => void;
}

export interface AuditOptions {
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
