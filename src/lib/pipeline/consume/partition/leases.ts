/** Keeps the leases of a process by renewing them together: a statement a second, however many partitions it owns. */
import type { Pool } from 'pg';
import {
  type Lease,
  leaseMs,
  type OwnerReport,
  release,
  renew,
  renewTogether,
} from '../../../systems/database/tables/owners.ts';

/** A lease that is kept. Disposing gives it back. */
export interface HeldLease extends AsyncDisposable {
  /** Writes the report at once rather than with the next renewal. */
  tell(): void;
  /** What is in work hangs: the next owner is told with the lease's end. */
  stalled(): void;
}

interface Kept {
  lease: Lease;
  report: () => OwnerReport;
  onLost: () => void;
}

/** While the database is away the leases may run out; recording checks the epoch. */
export class LeaseKeeper {
  readonly #pool: Pool;
  readonly #kept = new Set<Kept>();
  /** Waited for by themselves. */
  readonly #alone = new Set<Kept>();
  #due = new Set<Kept>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Renews at once. `report` is asked at every renewal. */
  hold(lease: Lease, report: () => OwnerReport, onLost: () => void): HeldLease {
    const kept = { lease, report, onLost };
    let how: 'released' | 'stalled' = 'released';
    this.#kept.add(kept);
    this.#timer ??= setInterval(() => this.#renew(this.#kept), leaseMs / 4);
    this.#renew([kept]);
    return {
      tell: () => this.#renew([kept]),
      stalled: () => void (how = 'stalled'),
      [Symbol.asyncDispose]: async () => {
        if (!this.#forget(kept)) return;
        await this.#running;
        // Best effort: without it the lease simply ends by itself.
        await release(this.#pool, lease, how).catch(() => undefined);
      },
    };
  }

  /** False where it is not kept any more. */
  #forget(kept: Kept): boolean {
    const was = this.#kept.delete(kept);
    this.#due.delete(kept);
    if (this.#kept.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return was;
  }

  #renew(some: Iterable<Kept>): void {
    for (const kept of some) if (this.#kept.has(kept)) this.#due.add(kept);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** What becomes due meanwhile is next. */
  async #run(): Promise<void> {
    while (this.#due.size > 0) {
      const due = [...this.#due];
      this.#due = new Set();
      try {
        const reports = due.map(({ lease, report }) => ({ lease, report: report() }));
        const renewed = await renewTogether(this.#pool, reports);
        // Locked for a moment, or lost: each is waited for by itself.
        const others = due.filter(({ lease }) => !renewed.has(lease.partition));
        for (const kept of others) void this.#renewAlone(kept);
      } catch {
        // The database is away: recording waits for it too, and says so.
      }
    }
  }

  async #renewAlone(kept: Kept): Promise<void> {
    if (this.#alone.has(kept)) return;
    this.#alone.add(kept);
    const isOurs = await renew(this.#pool, kept.lease, kept.report()).catch(() => true);
    this.#alone.delete(kept);
    if (!isOurs && this.#forget(kept)) kept.onLost();
  }
}
