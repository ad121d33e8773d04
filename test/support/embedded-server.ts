/** One embedded PostgreSQL for all files of a run that need no more than "a PostgreSQL": each takes databases of its own in it. */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { useEmbeddedPostgres } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import type { EmbeddedPostgres } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import { ensureBuilt } from './build.ts';
import { sharedDataDir } from './shared-run.ts';

let running: Promise<EmbeddedPostgres> | undefined;

/** Between two files nobody may be there; the end of the run stops it (`shared-run.ts`). */
const lingerMs = 120_000;

async function start(): Promise<EmbeddedPostgres> {
  await ensureBuilt();
  const dataDir = sharedDataDir();
  const postgres = await useEmbeddedPostgres({ dataDir, lingerMs });
  await withoutSync(filesIn(dataDir).data);
  return postgres;
}

/** Nothing of it has to outlive the machine: half the time of a database that is made is spent on waiting for the disk. */
async function withoutSync(data: string): Promise<void> {
  if (process.platform === 'win32') return;
  await appendFile(join(data, 'postgresql.conf'), '\nfsync = off\n');
  const [pid] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGHUP');
}

/** Nobody has to leave it: the keeper sees the end of this process. */
export function embeddedServer(): Promise<EmbeddedPostgres> {
  return (running ??= start());
}
