/** Which processes a directory has: what a test leaves behind is found by it. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** The processes whose command line or environment names this directory. */
export function processesOf(dir: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    try {
      const [args, env] = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
      return `${args}${env}`.includes(dir) ? [`${pid} ${args?.replaceAll('\0', ' ')}`] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** Fails after 20 seconds. */
export async function nothingLeft(dir: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const deadline = Date.now() + 20_000;
  while (processesOf(dir).length > 0) {
    if (Date.now() > deadline) expect(processesOf(dir)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The processes that this one has started and that are there still, ended ones that nobody has waited for among them. */
export function childrenOf(parent: number): number[] {
  const threads = readdirSync(`/proc/${parent}/task`);
  return threads.flatMap((thread) =>
    readFileSync(`/proc/${parent}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Memory in use, in bytes. */
export function rssOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}
