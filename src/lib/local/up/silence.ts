/** Ends children that hang, so that they are started again: they live, and are not heard. */
import { hostname } from 'node:os';
import { pause, unlessAborted } from '../../base/flow/waiting.ts';
import { pidOf } from '../../pipeline/status-verdict.ts';
import type { ConsumerRow } from '../../systems/database/tables/consumers.ts';
import type { Child } from '../demo/child.ts';

export interface SilenceOptions {
  /** Those that run. */
  children: () => readonly Pick<Child, 'name' | 'pid' | 'kill'>[];
  /** What is heard of them: rows of consumers, and whether `serve` answers (undefined: without it). Rejects where nobody can be heard. */
  heard: () => Promise<{
    consumers: readonly Pick<ConsumerRow, 'owner' | 'hostname' | 'live'>[];
    server: boolean | undefined;
  }>;
  signal: AbortSignal;
  /** Between two looks, in milliseconds. */
  everyMs?: number;
}

/**
 * Looks in a row, each of which has to hear nothing: longer than a consumer needs to give up a dead connection and to be heard
 * again. After a frozen `up`, or a night's sleep, they begin anew.
 */
export const looks = 20;

/** Until the signal. A child that was never heard is still starting. */
export async function endSilent({ children, heard, signal, everyMs = 1000 }: SilenceOptions): Promise<void> {
  const known = new Set<number>();
  const silent = new Map<number, number>();
  while (!signal.aborted) {
    await pause(everyMs, signal);
    // A database that has fallen silent keeps nobody from stopping.
    const found = await unlessAborted(heard(), signal).catch(() => undefined);
    for (const child of children()) {
      const { pid } = child;
      if (pid === undefined) continue;
      const isHeard = found && hears(found, child.name, pid);
      if (isHeard) known.add(pid);
      const times = isHeard === false && known.has(pid) ? (silent.get(pid) ?? 0) + 1 : 0;
      silent.set(pid, times);
      if (times < looks || signal.aborted) continue;
      known.delete(pid);
      silent.delete(pid);
      child.kill(`(process ${pid}) did not answer for ${looks} s and was killed`);
    }
  }
}

/** Undefined: nothing can be said. */
function hears(
  { consumers, server }: Awaited<ReturnType<SilenceOptions['heard']>>,
  name: string,
  pid: number,
): boolean | undefined {
  if (name === 'serve') return server;
  const own = consumers.filter(({ owner, hostname: host }) => host === hostname() && pidOf(owner) === pid);
  // In a container an earlier process often had the same number.
  return own.length === 0 ? undefined : own.some(({ live }) => live);
}
