/** For vitest's `globalSetup`: a directory that all files of one run share, and the end of the embedded PostgreSQL in it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import { findHolder } from '../../src/lib/systems/database/embedded/keeper/lock.ts';

/** Where it is told to the test files. */
export const variable = 'VISIONSCALE_TEST_SHARED';

/** The server starts with the first file that needs it (`embedded-server.ts`). */
export const databaseIn = (shared: string) => join(shared, 'database');

export default async function setUp(): Promise<() => Promise<void>> {
  const shared = await mkdtemp(join(tmpdir(), 'visionscale-run-'));
  process.env[variable] = shared;
  return async () => {
    const dataDir = databaseIn(shared);
    const keeper = await findHolder(filesIn(dataDir).root).catch(() => null);
    if (keeper) process.kill(keeper.pid, 'SIGTERM');
    await stopped(dataDir, 20_000);
    await rm(shared, { recursive: true, force: true });
  };
}
