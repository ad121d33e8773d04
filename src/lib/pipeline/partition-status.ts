/** What `status` says of a partition: how far it is, whose it is, in which state, since when and why. */
import type { ConsumerRow } from '../systems/database/tables/consumers.ts';
import type { OwnerRow } from '../systems/database/tables/owners.ts';
import { shortOwner } from './status-verdict.ts';

export interface PartitionStatus {
  partition: number;
  /** Messages not yet recorded; null where the topic cannot be asked. */
  lag: number | null;
  /** host:pid of the owner; null where nobody owns it. */
  owner: string | null;
  hostname: string | null;
  epoch: number | null;
  /** starting, consuming, waiting, stalled, draining; `expired` where the lease ran out; `free` where nobody owns it. */
  state: string;
  /** Since when it is in this state; null where nobody has ever owned it. */
  since: Date | null;
  /** Why it is in this state, or what its consumer complains of. */
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
  position: number | null;
}

export interface PartitionLog {
  end: number;
  /** Where a consumer without a position would start. */
  start: number;
}

interface Found {
  position: number | null;
  /** Undefined where the topic cannot be asked. */
  log: PartitionLog | undefined;
  /** Undefined where nobody has ever owned it. */
  row: OwnerRow | undefined;
  consumers: readonly ConsumerRow[];
}

export function partitionStatus(
  partition: number,
  { position, log, row, consumers }: Found,
): PartitionStatus {
  const owned = row?.owner != null;
  return {
    partition,
    lag: log === undefined ? null : Math.max(0, log.end - (position ?? log.start)),
    owner: row?.owner ?? null,
    hostname: owned ? row.hostname : null,
    epoch: row?.epoch ?? null,
    ...stateOf(row, consumers),
    model: owned ? row.model : null,
    modelDigest: owned ? row.modelDigest : null,
    engine: owned ? row.engine : null,
    position,
  };
}

function stateOf(
  row: OwnerRow | undefined,
  consumers: readonly ConsumerRow[],
): Pick<PartitionStatus, 'state' | 'since' | 'detail'> {
  if (row === undefined) return { state: 'free', since: null, detail: null };
  const { owner, hostname, live, state, since, detail } = row;
  if (owner === null) {
    const how = state === 'stalled' ? ', which had stalled' : '';
    return { state: 'free', since, detail: `released by the consumer on ${hostname}${how}` };
  }
  if (!live) {
    const why = 'it was killed, hangs, or cannot reach the database';
    return { state: 'expired', since, detail: `${shortOwner(owner)} has not renewed the lease: ${why}` };
  }
  // An idle owner waits for nothing of its partition's, but its process may wait for a server.
  const consumer = consumers.find((one) => one.owner === owner);
  if (state !== 'consuming' || consumer?.state !== 'waiting') return { state, since, detail };
  const later = consumer.since > since ? consumer.since : since;
  return { state: 'waiting', since: later, detail: consumer.detail ?? detail };
}
