/** Processes around an embedded PostgreSQL, for tests that kill them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { findHolder } from '../../src/lib/systems/database/embedded/keeper/lock.ts';
import type { Connection } from '../../src/lib/systems/database/embedded/keeper/protocol.ts';
import type { EmbeddedOptions } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import { commandLine, processStart } from '../../src/lib/systems/database/embedded/processes.ts';

const script = fileURLToPath(new URL('embedded-guest.mjs', import.meta.url));

export interface Guest {
  pid: number;
  /** Resolves when the server is ready for it; rejects with the fields of the error it got. */
  ready: Promise<Connection>;
  query(sql: string): Promise<unknown>;
  /** To its whole process group, as Ctrl-C does. */
  kill(signal: NodeJS.Signals): Promise<void>;
  leave(): Promise<void>;
}

/** `as` runs it under another user id: only root can. */
export function startGuest(options: EmbeddedOptions, as?: { uid: number; gid: number }): Guest {
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    ...as,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error('the guest has ended');
    return JSON.parse(line.value);
  };
  const ready = next().then((first) => {
    const { connection, error } = first as { connection: Connection; error?: object };
    if (error) throw Object.assign(new Error(), error);
    return connection;
  });
  ready.catch(() => undefined);
  const pid = child.pid ?? 0;
  return {
    pid,
    ready,
    async query(sql) {
      await ready;
      child.stdin.write(`${sql}\n`);
      return next();
    },
    async kill(signal) {
      process.kill(-pid, signal);
      await exited;
    },
    async leave() {
      child.stdin.end();
      await exited;
    },
  };
}

export async function keeperOf(dataDir: string): Promise<number> {
  return (await findHolder(filesIn(dataDir).root))?.pid ?? 0;
}

export async function postgresOf(dataDir: string): Promise<number> {
  const text = await readFile(join(filesIn(dataDir).data, 'postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}

/** The shell that watches over a server. Linux only. */
export async function watchdogOf(server: number): Promise<number> {
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (pid > 0 && (await commandLine(pid)).trimEnd().endsWith(`watchdog ${server}`)) return pid;
  }
  throw new Error('no watchdog');
}

/** Waits until a condition holds; throws after `timeoutMs`. Returns the milliseconds it took. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > timeoutMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
  return performance.now() - start;
}

export async function untilGone(...pids: number[]): Promise<number> {
  return until(`end of ${pids.join(', ')}`, async () => {
    const starts = await Promise.all(pids.map(processStart));
    return starts.every((start) => start === null);
  });
}
