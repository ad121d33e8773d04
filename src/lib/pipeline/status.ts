/** The verb `status`: how far everything has come, who owns what, and what is stuck and why. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { errorMessage, VisionscaleError } from '../base/errors.ts';
import { describeHolder, type LockHolder, lockHolder } from '../systems/database/lock-holder.ts';
import { readActiveBins } from '../systems/database/tables/bins.ts';
import { countOpenByCode } from '../systems/database/tables/dead-letters.ts';
import { countImages, openRound } from '../systems/database/tables/images.ts';
import { readActiveModel } from '../systems/database/tables/models.ts';
import { type Backlog, readBacklog, readRefusals, type Refusals } from '../systems/database/tables/outbox.ts';
import { claimLock, type OwnerRow, readOwners, readPosition } from '../systems/database/tables/owners.ts';
import { countOutcomes } from '../systems/database/tables/predictions.ts';
import type { Topic } from '../systems/topic/topic.ts';

export interface PartitionStatus {
  partition: number;
  /** Messages not yet recorded; null where the topic cannot be asked. */
  lag: number | null;
  /** host:pid of the owner; null where nobody owns it. */
  owner: string | null;
  hostname: string | null;
  epoch: number | null;
  /** consuming, waiting, draining, starting; `expired` where the lease ran out; `free` where nobody owns it. */
  state: string;
  /** Why it waits. */
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
  position: number | null;
}

export interface ModelStatus {
  /** What `model use` has made active for this pipeline: name version; null where nobody has. */
  active: string | null;
  digest: string | null;
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
}

/** A consumer needs milliseconds to claim a partition, and is given up by the server when it falls silent, seconds. */
const longClaim = 4;
const lookAgainMs = 500;

/** `topic` is its fault where it cannot be opened: just then somebody wants to see the rest. */
export async function status(
  pool: Pool,
  topicName: string,
  topic: Topic | VisionscaleError,
  pipeline: string,
): Promise<Status> {
  const lock = claimLock({ pipeline, topic: topicName });
  const [images, outcomes, deadLettersByCode, owners, active, bins, unpublished, refused, holder] =
    await Promise.all([
      countImages(pool),
      countOutcomes(pool, pipeline),
      countOpenByCode(pool, pipeline),
      readOwners(pool, pipeline, topicName),
      readActiveModel(pool, pipeline),
      readActiveBins(pool, pipeline),
      readBacklog(pool, pipeline, topicName),
      readRefusals(pool, pipeline, topicName),
      lockHolder(pool, { name: lock }),
    ]);
  const running = new Set(owners.filter((o) => o.live && o.owner !== null).map((o) => o.modelDigest));
  const model = {
    active: active === null ? null : `${active.name} ${active.version}`,
    digest: active?.digest ?? null,
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
  const log = await readTopic(topic, topicName, pipeline, problems);
  const count = log?.length ?? Math.max(0, ...owners.map((owner) => owner.partition + 1));
  const partitions = await Promise.all(
    [...Array(count).keys()].map(async (partition) => {
      const position = await readPosition(pool, { pipeline, topic: topicName, partition });
      const row = owners.find((o) => o.partition === partition);
      const bounds = log?.[partition];
      if (bounds && position && position.nextOffset > bounds.end) {
        problems.push(
          `partition ${partition} ends before this pipeline's position: the topic was deleted and created again`,
        );
      }
      return partitionStatus(partition, position?.nextOffset ?? null, bounds, row);
    }),
  );
  const round = await openRound(pool);
  return {
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
  };
}

/** Of another role's session nobody is told since when it does what: it is looked at twice. */
async function keepsLock(pool: Pool, name: string, holder: LockHolder): Promise<boolean> {
  if (holder.seconds !== null) return holder.seconds > longClaim;
  await sleep(lookAgainMs);
  return (await lockHolder(pool, { name }))?.pid === holder.pid;
}

interface PartitionLog {
  end: number;
  /** Where a consumer without a position would start. */
  start: number;
}

/** Null, with the reason among the problems, where the topic cannot be asked. */
async function readTopic(
  topic: Topic | VisionscaleError,
  name: string,
  pipeline: string,
  problems: string[],
): Promise<PartitionLog[] | null> {
  try {
    if (topic instanceof VisionscaleError) throw topic;
    const count = await topic.partitions();
    if (count === 0) problems.push(`topic ${name} does not exist yet`);
    const read = async (partition: number) => {
      const { first, end } = await topic.bounds(partition);
      return { end, start: (await topic.committed(pipeline, partition)) ?? first };
    };
    return await Promise.all([...Array(count).keys()].map(read));
  } catch (error) {
    problems.push(errorMessage(error));
    return null;
  }
}

function partitionStatus(
  partition: number,
  position: number | null,
  log: PartitionLog | undefined,
  row: OwnerRow | undefined,
): PartitionStatus {
  const lag = log === undefined ? null : Math.max(0, log.end - (position ?? log.start));
  const owned = row?.owner != null;
  return {
    partition,
    lag,
    owner: row?.owner ?? null,
    hostname: owned ? row.hostname : null,
    epoch: row?.epoch ?? null,
    state: !owned ? 'free' : row.live ? row.state : 'expired',
    detail: owned ? row.detail : null,
    model: owned ? row.model : null,
    modelDigest: owned ? row.modelDigest : null,
    engine: owned ? row.engine : null,
    position,
  };
}
