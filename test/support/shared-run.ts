/** For vitest's `globalSetup`: what all files of one run share, and its end: a directory, an embedded PostgreSQL, a template. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pg from 'pg';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import { findHolder } from '../../src/lib/systems/database/embedded/keeper/lock.ts';

const variable = 'VISIONSCALE_TEST_SHARED';

function shared(): string {
  const found = process.env[variable];
  if (found === undefined) throw new Error(`${variable} is not set: see globalSetup in vitest.config.ts`);
  return found;
}

/** The server starts with the first file that needs it (`embedded-server.ts`). */
export const sharedDataDir = () => join(shared(), 'database');

/** Of this run alone, on whatever server (`database.ts`). */
export const templateName = () =>
  `visionscale_template_${basename(shared()).replaceAll(/\W/g, '').toLowerCase()}`;

export default async function setUp(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'visionscale-run-'));
  process.env[variable] = directory;
  return async () => {
    const server = process.env['VISIONSCALE_TEST_POSTGRES'];
    if (server) {
      const client = new pg.Client({ connectionString: server });
      await client.connect();
      for (const name of [templateName(), `${templateName()}_new`])
        await client.query(`DROP DATABASE IF EXISTS ${name}`);
      await client.end();
    }
    const dataDir = sharedDataDir();
    const keeper = await findHolder(filesIn(dataDir).root).catch(() => null);
    try {
      if (keeper) process.kill(keeper.pid, 'SIGTERM');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ends by itself, too
    }
    await stopped(dataDir, 20_000);
    await rm(directory, { recursive: true, force: true });
  };
}
