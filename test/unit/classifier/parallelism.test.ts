/** Cores granted by a container. */
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { usableCores } from '../../../src/lib/base/sandbox/parallelism.ts';

const cores = availableParallelism();
const files = (content: Record<string, string>) => (path: string) => content[path];
const v1 = (quota: number) =>
  files({
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': `${quota}\n`,
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });

/** One CPU granted in `file`, to be looked at or not by a process in these cgroups. */
const nested = (own: string, file: string) =>
  files({ '/proc/self/cgroup': own, [`/sys/fs/cgroup${file}`]: '100000 100000\n' });

describe('usableCores', () => {
  it.each([
    ['no cgroup', files({}), cores],
    ['cgroup 2 without a limit', files({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' }), cores],
    ['cgroup 2, one CPU', files({ '/sys/fs/cgroup/cpu.max': '100000 100000\n' }), 1],
    ['cgroup 2, half a CPU', files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }), 1],
    ['cgroup 2, one and a half', files({ '/sys/fs/cgroup/cpu.max': '150000 100000\n' }), Math.min(cores, 2)],
    ['cgroup 2, more than there are', files({ '/sys/fs/cgroup/cpu.max': '99900000 100000\n' }), cores],
    ['cgroup 1 without a limit', v1(-1), cores],
    ['cgroup 1, one CPU', v1(100_000), 1],
    [
      'a group of cgroup 1',
      files({
        '/proc/self/cgroup': '2:cpu,cpuacct:/a/b\n1:name=systemd:/c\n0::/\n',
        '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '100000\n',
        '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000\n',
      }),
      1,
    ],
    ['nonsense', files({ '/sys/fs/cgroup/cpu.max': 'x y\n' }), cores],
    ['a slice of cgroup 2', nested('0::/system.slice/a.service\n', '/system.slice/a.service/cpu.max'), 1],
    ['the slice above it', nested('0::/system.slice/a.service\n', '/system.slice/cpu.max'), 1],
    ['another slice', nested('0::/system.slice/a.service\n', '/user.slice/cpu.max'), cores],
    ['a path of the host', nested('0::/docker/0123\n', '/cpu.max'), 1],
  ])('%s', (_, readFile, expected) => {
    expect(usableCores(readFile)).toBe(expected);
  });

  it('looks at this machine', () => {
    expect(usableCores()).toBeGreaterThanOrEqual(1);
    expect(usableCores()).toBeLessThanOrEqual(cores);
  });
});
