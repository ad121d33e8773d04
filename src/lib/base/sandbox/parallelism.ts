/** How many threads may run at once on this machine, or in this container. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path/posix';

type ReadFile = (path: string) => string | undefined;

/** Cores this process may use, fewer where a cgroup grants it less (which Node 20 does not look at). At least 1. */
export function usableCores(readFile: ReadFile = readIfThere): number {
  const granted = [...groups(readFile)].map((directory) => quota(directory, readFile));
  return Math.max(1, Math.min(availableParallelism(), ...granted.map(Math.ceil)));
}

/**
 * The directories of this process's cgroup and all above it, each of which may limit it: of version 2 and of version 1's
 * controller. A container sees its own as the root, or the host's path, which leads nowhere in it; so the root is always one.
 */
function* groups(readFile: ReadFile): Iterable<string> {
  const lines = (readFile('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  for (const [mount, controller] of [
    ['/sys/fs/cgroup', ''],
    ['/sys/fs/cgroup/cpu', 'cpu'],
  ] as const) {
    const own = lines.find(([, controllers = '-']) => controllers.split(',').includes(controller));
    let path = own?.slice(2).join(':') || '/';
    for (; path !== '/' && path !== '.'; path = dirname(path)) yield join(mount, path);
    yield mount;
  }
}

/** CPUs that this cgroup grants; infinite where it does not limit them. */
function quota(directory: string, readFile: ReadFile): number {
  const [v2quota, v2period] = (readFile(`${directory}/cpu.max`) ?? '').trim().split(/\s+/);
  const [runtime, period] =
    v2quota && v2period
      ? [v2quota, v2period]
      : [readFile(`${directory}/cpu.cfs_quota_us`), readFile(`${directory}/cpu.cfs_period_us`)];
  const cpus = Number(runtime) / Number(period);
  return cpus > 0 ? cpus : Infinity; // 'max', -1, absent: no limit
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
