/** Cores granted by a container. */
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { usableCores } from '../../../src/lib/classifier/parallelism.ts';

const cores = availableParallelism();
const files = (content: Record<string, string>) => (path: string) => content[path];
const v1 = (quota: number) =>
  files({
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': `${quota}\n`,
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });

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
    ['nonsense', files({ '/sys/fs/cgroup/cpu.max': 'x y\n' }), cores],
  ])('%s', (_, readFile, expected) => {
    expect(usableCores(readFile)).toBe(expected);
  });

  it('looks at this machine', () => {
    expect(usableCores()).toBeGreaterThanOrEqual(1);
    expect(usableCores()).toBeLessThanOrEqual(cores);
  });
});
