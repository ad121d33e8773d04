/** One embedded PostgreSQL for all tests of a file, in a temporary directory; gone when the file is done. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import { useEmbeddedPostgres } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import type { EmbeddedPostgres } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import { ensureBuilt } from './build.ts';

let running: Promise<{ dataDir: string; postgres: EmbeddedPostgres }> | undefined;

async function start() {
  await ensureBuilt();
  const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-test-'));
  return { dataDir, postgres: await useEmbeddedPostgres({ dataDir, lingerMs: 0 }) };
}

export async function embeddedServer(): Promise<EmbeddedPostgres> {
  return (await (running ??= start())).postgres;
}

afterAll(async () => {
  if (!running) return;
  const { dataDir, postgres } = await running;
  await postgres[Symbol.asyncDispose]();
  await stopped(dataDir, 20_000);
  await rm(dataDir, { recursive: true, force: true });
});
