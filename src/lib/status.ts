/** The verb `status`: how far everything has come, who owns what, and what is stuck and why. */
import type { Pool } from 'pg';
import { countImages } from './database/images.ts';
import { readActiveModel } from './database/models.ts';
import { countOutcomes, readOwners, type OwnerRow } from './database/overview.ts';
import { readPosition } from './database/positions.ts';
import { errorMessage } from './errors.ts';
import type { Topic } from './topic/topic.ts';

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
  partitions: PartitionStatus[];
  model: ModelStatus;
  /** What could not be asked. */
  problems: string[];
}

export async function status(pool: Pool, topic: Topic, pipeline: string): Promise<Status> {
  const [images, outcomes, owners, active] = await Promise.all([
    countImages(pool),
    countOutcomes(pool, pipeline),
    readOwners(pool, pipeline, topic.name),
    readActiveModel(pool, pipeline),
  ]);
  const running = new Set(owners.filter((o) => o.live && o.owner !== null).map((o) => o.modelDigest));
  const model = {
    active: active === null ? null : `${active.name} ${active.version}`,
    digest: active?.digest ?? null,
    disagreement: running.size > 1 || (active !== null && running.size === 1 && !running.has(active.digest)),
  };
  const problems: string[] = [];
  let count: number;
  try {
    count = await topic.partitions();
    if (count === 0) problems.push(`topic ${topic.name} does not exist yet`);
  } catch (error) {
    problems.push(errorMessage(error));
    count = Math.max(0, ...owners.map((owner) => owner.partition + 1));
  }
  const reachable = problems.length === 0;
  const partitions = await Promise.all(
    [...Array(count).keys()].map((partition) =>
      partitionStatus(
        pool,
        topic,
        pipeline,
        partition,
        owners.find((o) => o.partition === partition),
        reachable,
      ),
    ),
  );
  return { pipeline, topic: topic.name, ...images, ...outcomes, partitions, model, problems };
}

async function partitionStatus(
  pool: Pool,
  topic: Topic,
  pipeline: string,
  partition: number,
  row: OwnerRow | undefined,
  reachable: boolean,
): Promise<PartitionStatus> {
  const position = await readPosition(pool, { pipeline, topic: topic.name, partition });
  let lag: number | null = null;
  if (reachable) {
    const { first, end } = await topic.bounds(partition);
    const next = position?.nextOffset ?? (await topic.committed(pipeline, partition)) ?? first;
    lag = Math.max(0, end - next);
  }
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
    position: position?.nextOffset ?? null,
  };
}
