/** Deals with a server that a killed keeper has left behind in the data directory. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Files } from './files.ts';
import type { Log } from './log.ts';
import { commandLine, processStart } from './processes.ts';

/** Stops it cleanly, so that a new one can start. Must hold the lock: nobody else starts a server meanwhile. */
export async function stopOrphan({ data }: Files, log: Log): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  const started = await processStart(pid);
  if (started === null) return; // PostgreSQL itself clears up after a dead one
  if (!(await commandLine(pid)).includes(data)) {
    log(`postmaster.pid names process ${pid}, which is no server of this directory: removed`);
    await rm(file, { force: true });
    return;
  }
  for (const [signal, patience] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    log(`a PostgreSQL was left behind (process ${pid}): ${signal}`);
    process.kill(pid, signal);
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      if ((await processStart(pid)) !== started) return;
      await sleep(20);
    }
  }
}
