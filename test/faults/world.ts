/** Everything a fault may get its hands on. */
import type { Belt } from './belt.ts';
import type { Inspector } from './inspector.ts';
import type { FaultsOptions } from './options.ts';
import type { Random } from './random.ts';
import type { Stack } from './stack.ts';
import type { Supervised } from './supervised.ts';

export interface World {
  options: FaultsOptions;
  stack: Stack;
  consumers: Supervised[];
  producer: Supervised;
  belt: Belt;
  inspector: Inspector;
  partitions: number;
  /** The run's directory, and the settings of its processes. */
  dir: string;
  env: Record<string, string>;
  /** Good images that nobody has uploaded yet, in a directory of their own; they are expected from now on. */
  moreImages: (count: number) => Promise<{ dir: string; keys: number }>;
  say: (text: string) => void;
}

/** What a fault did, and from when on its recovery counts. */
export interface Damage {
  detail: string;
  /** Milliseconds since the epoch: the kill where others take over, the end of the outage where nobody can. */
  from: number;
  /** Where a row must be recorded again. */
  partitions: number[];
  /** Where recovery is not a row but something else: the seconds it took. */
  seconds?: number;
  /** Rows of this host name do not count: it is the one that was hit. */
  notBy?: string;
  /** Longest recovery that is right where nothing else happened at the time, in seconds. */
  within?: number;
  /**
   * Where others go on: recovery is the longest pause of a partition between `from` and here (milliseconds since the
   * epoch), for at first there are rows of what was in a buffer.
   */
  pauseUntil?: number;
  /** Things that are not as they should be. */
  problems?: string[];
  /** Runs once everything has recovered; returns problems. */
  after?: () => Promise<string[]>;
}

export interface Fault {
  kind: string;
  hold?: readonly [number, number];
  most?: number;
  alone?: boolean;
  /** Why it cannot be had here; null where it can. */
  missing(world: Pick<World, 'stack' | 'options'>): string | null;
  run(world: World, holdMs: number, random: Random): Promise<Damage>;
}

export function allPartitions(world: World): number[] {
  return [...Array(world.partitions).keys()];
}

/** The host name of a life of a consumer. */
export function hostnameOf(consumer: Supervised, start = consumer.starts): string {
  return `${consumer.name}-${start}`;
}

export interface Owned {
  consumer: Supervised;
  hostname: string;
  partitions: number[];
}

/** The consumers that run and own something now. */
export async function ownersNow(world: World): Promise<Owned[]> {
  const owners = [...(await world.inspector.owners())];
  return world.consumers
    .filter((consumer) => consumer.pid !== undefined)
    .map((consumer) => {
      const hostname = hostnameOf(consumer);
      return { consumer, hostname, partitions: owners.filter(([, h]) => h === hostname).map(([p]) => p) };
    })
    .filter((owned) => owned.partitions.length > 0);
}
