/** Whether this host has to do with a pipeline at all. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from './run.ts';

/** Whoever only classifies directories has no database, and needs none started. */
export function hasPipeline({ config }: Context): boolean {
  return config.database.kind === 'server' || existsSync(join(config.dataDir, 'postgres'));
}
