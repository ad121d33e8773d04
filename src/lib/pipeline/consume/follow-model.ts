/** Keeps a consumer on the model that its pipeline's row names: fetched, verified and warm before it takes over. */
import type { Pool } from 'pg';
import { errorMessage } from '../../base/errors.ts';
import { pause } from '../../base/flow/waiting.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { SwitchingClassifier } from '../../models/classifier/switching.ts';
import { readActiveDigest } from '../../systems/database/tables/models.ts';

export interface FollowDeps {
  pool: Pool;
  classifier: SwitchingClassifier;
  /** Fetches, verifies, opens and warms the model of this digest. */
  open: (digest: string) => Promise<Classifier>;
  report: (event: FollowEvent) => void;
}

export type FollowEvent =
  | { kind: 'switched'; model: string; version: string; digest: string }
  /** The former model goes on. */
  | { kind: 'switch failed'; digest: string; reason: string };

/** How often the row is read, in milliseconds. */
const pollMs = 1000;
/** A model that failed is tried again after this long, for what failed may have been the store. */
const retryMs = 15_000;

/** Runs until the signal aborts. Never throws: whatever happens to the row, images are classified. */
export async function followModel(deps: FollowDeps, pipeline: string, signal: AbortSignal): Promise<void> {
  const { pool, classifier, open, report } = deps;
  let failed: { digest: string; until: number } | undefined;
  while (!signal.aborted) {
    // While the database is away nothing can be recorded either, and the partitions say so.
    const digest = await readActiveDigest(pool, pipeline).catch(() => null);
    const waiting = failed !== undefined && failed.digest === digest && performance.now() < failed.until;
    if (digest !== null && digest !== classifier.model.digest && !waiting) {
      try {
        const next = await open(digest);
        if (signal.aborted) {
          await next[Symbol.asyncDispose]();
          return;
        }
        classifier.switchTo(next);
        failed = undefined;
        report({ kind: 'switched', model: next.model.name, version: next.model.version, digest });
      } catch (error) {
        failed = { digest, until: performance.now() + retryMs };
        report({ kind: 'switch failed', digest, reason: errorMessage(error) });
      }
    }
    await pause(pollMs, signal);
  }
}
