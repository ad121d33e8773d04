/** Keeps a lease by renewing it, tells when it is lost, and gives it back at the end. */
import type { Pool } from 'pg';
import {
  type Lease,
  leaseMs,
  type OwnerReport,
  release,
  renew,
} from '../../../systems/database/tables/owners.ts';

export interface HeldLease extends AsyncDisposable {
  /** Writes the report at once rather than with the next renewal. */
  tell(): void;
  /** What is in work hangs: the next owner is told with the lease's end. */
  stalled(): void;
}

/** `report` is asked at every renewal. While the database is away the lease may run out; recording checks the epoch. */
export function holdLease(
  pool: Pool,
  lease: Lease,
  report: () => OwnerReport,
  onLost: () => void,
): HeldLease {
  let running: Promise<void> | undefined;
  let over = false;
  let how: 'released' | 'stalled' = 'released';

  const beat = async () => {
    try {
      if (!(await renew(pool, lease, report()))) {
        over = true;
        clearInterval(timer);
        onLost();
      }
    } catch {
      // The database is away: recording waits for it too, and says so.
    }
  };
  const tell = () => {
    if (!over) running ??= beat().finally(() => (running = undefined));
  };
  const timer = setInterval(tell, leaseMs / 4);
  tell();

  return {
    tell,
    stalled: () => void (how = 'stalled'),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (over) return;
      over = true;
      await running;
      // Best effort: without it the lease simply ends by itself.
      await release(pool, lease, how).catch(() => undefined);
    },
  };
}
