/** How many threads may run at once on this machine, or in this container. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Cores this process may use, fewer where a cgroup grants it less (which Node 20 does not look at). At least 1. */
export function usableCores(readFile: (path: string) => string | undefined = readIfThere): number {
  const cores = availableParallelism();
  const granted = quota(readFile);
  return granted === undefined ? cores : Math.max(1, Math.min(cores, Math.ceil(granted)));
}

/** CPUs granted to this container, or undefined where nothing limits it. */
function quota(readFile: (path: string) => string | undefined): number | undefined {
  const [v2quota, v2period] = (readFile('/sys/fs/cgroup/cpu.max') ?? '').trim().split(/\s+/);
  const [runtime, period] =
    v2quota && v2period
      ? [v2quota, v2period]
      : [readFile('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'), readFile('/sys/fs/cgroup/cpu/cpu.cfs_period_us')];
  const cpus = Number(runtime) / Number(period);
  return cpus > 0 && Number.isFinite(cpus) ? cpus : undefined; // 'max', -1, absent: no limit
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
