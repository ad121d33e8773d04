/** Tells the other consumers, and `status`, that this one lives and what it does: also before it owns a partition. */
import type { Pool } from 'pg';
import { RecentUsage } from '../../base/sandbox/usage.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import {
  type ConsumerId,
  type ConsumerReport,
  type Drift,
  hear,
  leave,
} from '../../systems/database/tables/consumers.ts';
import { leaseMs } from '../../systems/database/tables/owners.ts';
import type { Servers } from '../server-watch.ts';
import type { ConsumeEvent } from './options.ts';

export interface PresenceDeps {
  pool: Pool;
  /** Null before it is open. */
  classifier: () => Pick<Classifier, 'model' | 'engine'> | null;
  signal: AbortSignal;
  servers: Servers;
  drifts: () => readonly Drift[];
}

export class Presence implements AsyncDisposable {
  readonly #deps: PresenceDeps;
  readonly #id: ConsumerId;
  readonly #timer: NodeJS.Timeout;
  readonly #recorded = new LastMinute();
  readonly #usage = new RecentUsage();
  /** What it waits for: as a whole (null), and by the partitions it owns. */
  readonly #waits = new Map<number | null, string>();
  readonly #owned = new Set<number>();
  #standingBy = false;
  #running: Promise<void> | undefined;

  /** Heard at once, and then every second. */
  constructor(deps: PresenceDeps, id: ConsumerId) {
    this.#deps = deps;
    this.#id = id;
    this.#timer = setInterval(() => this.#tell(), leaseMs / 4);
    deps.servers.listen(() => {
      // What waited at the start waited for a server.
      if (deps.servers.away.length === 0) this.#waits.delete(null);
      this.#tell();
    });
    this.#tell();
  }

  see(event: ConsumeEvent): void {
    const before = this.#state();
    const { partition } = event;
    if (event.kind === 'recorded') this.#recorded.add(event.predicted + event.deadLettered);
    // Of a partition that it only asks for, it waits as a whole.
    const waiter = partition !== null && this.#owned.has(partition) ? partition : null;
    if (event.kind === 'waiting') this.#waits.set(waiter, event.reason);
    if (event.kind === 'going on') this.#waits.delete(waiter);
    if (event.kind === 'standing by') {
      this.#standingBy = true;
      this.#waits.clear();
    }
    if (event.kind === 'owning') {
      this.#owned.add(event.partition);
      this.#waits.delete(event.partition);
      this.#waits.delete(null);
      this.#standingBy = false;
    }
    if (event.kind === 'lost' || event.kind === 'released') {
      this.#owned.delete(event.partition);
      this.#waits.delete(event.partition);
      this.#standingBy = true;
    }
    if (this.#state() !== before) this.#tell();
  }

  #state(): string {
    if (this.#deps.signal.aborted) return 'draining';
    if (this.#reasons().length > 0) return 'waiting';
    if (this.#owned.size > 0) return 'consuming';
    return this.#standingBy ? 'standing by' : 'starting';
  }

  /** Why it does nothing at all. While one of its partitions waits and another is at work, the one says so by itself. */
  #reasons(): string[] {
    const whole = this.#waits.get(null);
    const each = [...this.#owned].flatMap((partition) => this.#waits.get(partition) ?? []);
    return [
      ...this.#deps.servers.away.map(({ reason }) => reason),
      ...(whole === undefined ? [] : [whole]),
      ...(each.length === this.#owned.size ? each : []),
    ];
  }

  #report(): ConsumerReport {
    const classifier = this.#deps.classifier();
    const drifts = this.#deps.drifts();
    const [detail = null] = this.#reasons();
    return {
      state: this.#state(),
      detail,
      model: classifier?.model.name ?? null,
      modelDigest: classifier?.model.digest ?? null,
      engine: classifier?.engine ?? null,
      imagesLastMinute: this.#recorded.now(),
      drift: drifts.length > 0 ? drifts : null,
      ...this.#usage.now(),
    };
  }

  /** While the database is away nobody hears it, and the partitions say so. */
  #tell(): void {
    this.#running ??= hear(this.#deps.pool, this.#id, this.#report())
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await leave(this.#deps.pool, this.#id).catch(() => undefined);
  }
}

/** How many there were in the last 60 seconds, to the second. */
class LastMinute {
  readonly #bySecond = new Map<number, number>();

  add(count: number): void {
    const second = Math.floor(performance.now() / 1000);
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + count);
  }

  now(): number {
    const oldest = Math.floor(performance.now() / 1000) - 60;
    let sum = 0;
    for (const [second, count] of this.#bySecond) {
      if (second <= oldest) this.#bySecond.delete(second);
      else sum += count;
    }
    return sum;
  }
}
