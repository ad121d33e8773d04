/** The verb `status`: how far everything has come, who owns what, and what is stuck and why. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { errorMessage, VisionscaleError } from '../base/errors.ts';
import { commandLine } from '../systems/database/embedded/processes.ts';
import { describeHolder, type LockHolder, lockHolder } from '../systems/database/lock-holder.ts';
import { type BeltModel, listBeltModels } from '../systems/database/tables/belt-models.ts';
import { readActiveBins } from '../systems/database/tables/bins.ts';
import { type ConsumerRow, type Drift, readConsumers } from '../systems/database/tables/consumers.ts';
import { countOpenByCode } from '../systems/database/tables/dead-letters.ts';
import { countImages, openRound } from '../systems/database/tables/images.ts';
import { readActiveModel } from '../systems/database/tables/models.ts';
import { type Backlog, readBacklog, readRefusals, type Refusals } from '../systems/database/tables/outbox.ts';
import { claimLock, readOwners, readPositions } from '../systems/database/tables/owners.ts';
import { countOutcomes, lastPrediction } from '../systems/database/tables/predictions.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import type { Topic } from '../systems/topic/topic.ts';
import { mergedDrifts } from './drift/merged.ts';
import { type PartitionLog, type PartitionStatus, partitionStatus } from './partition-status.ts';
import { askStore, faultOf } from './server-watch.ts';
import { pidOf, type StatusVerdict, statusVerdict } from './status-verdict.ts';

export interface ModelStatus {
  /** What `model use` has made active for this pipeline: name version; null where nobody has. */
  active: string | null;
  digest: string | null;
  /** Belts that have a model of their own. */
  belts: BeltModel[];
  /** Consumers run different models, or another than the active one. */
  disagreement: boolean;
}

export interface Status {
  pipeline: string;
  topic: string;
  images: number;
  produced: number;
  predictions: number;
  deadLetters: number;
  /** What asked for nothing: test and delete events. */
  ignored: number;
  /** Open ones by error code, the most frequent first. */
  deadLettersByCode: Record<string, number>;
  partitions: PartitionStatus[];
  model: ModelStatus;
  /** The version of the rules in force; null: results have no bin. */
  bins: { version: number; source: string } | null;
  /** What is recorded and not published yet. */
  unpublished: Backlog;
  /** Results and dead letters that their topics refused; they are kept. */
  refused: Refusals;
  /** A round of `produce --again` that is not finished, and how many keys it still has to bring. */
  round: { images: number; left: number } | null;
  /** What could not be asked. */
  problems: string[];
  /** Those that live, whether or not they own a partition; the longest-lived first. */
  consumers: ConsumerRow[];
  /** Those that hang or ended without a word within the last hour, and that no other one was started for since. */
  silent: ConsumerRow[];
  /** Belts that have changed, by what living consumers tell; the earliest first. */
  drift: Drift[];
  /** Whether the servers answer, as seen from here. */
  servers: { database: ServerState; topic: ServerState; store: ServerState | null };
  /** When it was asked, by the database's clock. */
  time: Date;
  lastPrediction: Date | null;
  lastPredictionAgeSeconds: number | null;
  verdict: StatusVerdict;
}

export interface ServerState {
  reachable: boolean;
  /** Null where it is. */
  reason: string | null;
}

/** Longest wait for the object store, in milliseconds. */
const storeMs = 3000;

/** A consumer needs milliseconds to claim a partition, and is given up by the server when it falls silent, seconds. */
const longClaim = 4;
const lookAgainMs = 500;

/** `topic` is its fault where it cannot be opened: just then somebody wants to see the rest. Without a store none is asked. */
export async function status(
  pool: Pool,
  topicName: string,
  topic: Topic | VisionscaleError,
  pipeline: string,
  store: ObjectStore | null = null,
): Promise<Status> {
  const storeState = store === null ? null : stateOfStore(store);
  const lock = claimLock({ pipeline, topic: topicName });
  const [
    images,
    outcomes,
    deadLettersByCode,
    owners,
    positions,
    active,
    belts,
    bins,
    unpublished,
    refused,
    holder,
    all,
    times,
  ] = await Promise.all([
    countImages(pool),
    countOutcomes(pool, pipeline),
    countOpenByCode(pool, pipeline),
    readOwners(pool, pipeline, topicName),
    readPositions(pool, { pipeline, topic: topicName }),
    readActiveModel(pool, pipeline),
    listBeltModels(pool, pipeline),
    readActiveBins(pool, pipeline),
    readBacklog(pool, pipeline, topicName),
    readRefusals(pool, pipeline, topicName),
    lockHolder(pool, { name: lock }),
    readConsumers(pool, pipeline, topicName),
    lastPrediction(pool, pipeline),
  ]);
  const consumers = all.filter(({ live }) => live);
  const running = new Set(owners.filter((o) => o.live && o.owner !== null).map((o) => o.modelDigest));
  const model = {
    active: active === null ? null : `${active.name} ${active.version}`,
    digest: active?.digest ?? null,
    belts,
    disagreement: running.size > 1 || (active !== null && running.size === 1 && !running.has(active.digest)),
  };
  const problems: string[] = [];
  if (holder !== null && (await keepsLock(pool, lock, holder))) {
    const since = holder.seconds === null ? '' : ` for ${Math.round(holder.seconds)} s`;
    problems.push(
      `no consumer can start: ${describeHolder(holder)} has held the lock '${lock}'${since}; ` +
        `end it with SELECT pg_terminate_backend(${holder.pid})`,
    );
  }
  // After the positions: what is recorded meanwhile lies behind none of the ends.
  const { log, fault } = await readTopic(topic, pipeline);
  if (fault !== null) problems.push(fault);
  if (log?.length === 0) problems.push(`topic ${topicName} does not exist yet: visionscale init`);
  const count = log?.length ?? Math.max(0, ...owners.map((owner) => owner.partition + 1));
  const partitions = [...Array(count).keys()].map((partition) => {
    const position = positions.get(partition) ?? null;
    const row = owners.find((o) => o.partition === partition);
    const bounds = log?.[partition];
    if (bounds && position !== null && position > bounds.end) {
      problems.push(
        `partition ${partition} ends before this pipeline's position: the topic was deleted and created again`,
      );
    }
    return partitionStatus(partition, { position, log: bounds, row, consumers });
  });
  const round = await openRound(pool);
  const found: Omit<Status, 'verdict'> = {
    pipeline,
    topic: topicName,
    ...images,
    ...outcomes,
    deadLettersByCode,
    partitions,
    model,
    bins,
    unpublished,
    refused,
    round: round === null ? null : { images: round.images, left: images.images - images.produced },
    problems,
    consumers,
    silent: fallenSilent(all, times.now),
    drift: mergedDrifts(consumers),
    servers: {
      database: { reachable: true, reason: null },
      topic: { reachable: fault === null, reason: fault },
      store: await storeState,
    },
    time: times.now,
    lastPrediction: times.last,
    lastPredictionAgeSeconds:
      times.last === null ? null : Math.max(0, (times.now.getTime() - times.last.getTime()) / 1000),
  };
  return { ...found, verdict: statusVerdict(found, await hangingHere(found)) };
}

/** Owners of this host that fell silent, and whose processes are there still; where a pid is used again, it is not theirs. */
async function hangingHere({
  silent,
  consumers,
}: Pick<Status, 'silent' | 'consumers'>): Promise<Set<string>> {
  const live = new Set(consumers.filter(isHere).map(({ owner }) => pidOf(owner)));
  const hanging = new Set<string>();
  for (const { owner } of silent.filter(isHere)) {
    const pid = pidOf(owner);
    if (!live.has(pid) && /visionscale.*consume/.test(await commandLine(pid))) hanging.add(owner);
  }
  return hanging;
}

function isHere(consumer: ConsumerRow): boolean {
  return consumer.hostname === hostname();
}

/** What fell silent longer ago is history, in milliseconds. */
const silentForMs = 60 * 60_000;

/** One that was started since for the same partitions has taken the place of a silent one. */
export function fallenSilent(all: readonly ConsumerRow[], now: Date): ConsumerRow[] {
  const live = all.filter((one) => one.live);
  const stead = (silent: ConsumerRow) => (one: ConsumerRow) =>
    one.share === silent.share && one.partition === silent.partition && one.startedAt > silent.heardAt;
  return all.filter(
    (one) => !one.live && now.getTime() - one.heardAt.getTime() < silentForMs && !live.some(stead(one)),
  );
}

/** It never rejects, and answers in time. */
async function stateOfStore(store: ObjectStore): Promise<ServerState> {
  const reason = await faultOf(askStore(store, { listable: true }), storeMs);
  return { reachable: reason === null, reason };
}

/** Of another role's session nobody is told since when it does what: it is looked at twice. */
async function keepsLock(pool: Pool, name: string, holder: LockHolder): Promise<boolean> {
  if (holder.seconds !== null) return holder.seconds > longClaim;
  await sleep(lookAgainMs);
  return (await lockHolder(pool, { name }))?.pid === holder.pid;
}

/** Null, with the reason, where the topic cannot be asked. */
async function readTopic(
  topic: Topic | VisionscaleError,
  pipeline: string,
): Promise<{ log: PartitionLog[] | null; fault: string | null }> {
  try {
    if (topic instanceof VisionscaleError) throw topic;
    const count = await topic.partitions();
    const read = async (partition: number) => {
      const { first, end } = await topic.bounds(partition);
      return { end, start: (await topic.committed(pipeline, partition)) ?? first };
    };
    return { log: await Promise.all([...Array(count).keys()].map(read)), fault: null };
  } catch (error) {
    return { log: null, fault: errorMessage(error) };
  }
}
