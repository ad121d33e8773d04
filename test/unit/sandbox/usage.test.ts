/** What a process costs, from two readings, and that its sandboxes' processes count. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { sandboxCpuMs } from '../../../src/lib/base/sandbox/process.ts';
import { openSandbox } from '../../../src/lib/base/sandbox/sandbox.ts';
import { busyCores, readUsage, RecentUsage, type Usage } from '../../../src/lib/base/sandbox/usage.ts';
import { ensureBuilt } from '../../support/build.ts';

const reading = (at: number, cpuMs: number, memoryBytes = 1): Usage => ({ at, cpuMs, memoryBytes });

describe('cores between two readings', () => {
  it.each([
    ['half a core', reading(1000, 50), reading(2000, 550), 0.5],
    ['several', reading(0, 0), reading(10_000, 23_456), 2.346],
    ['none', reading(0, 70), reading(1000, 70), 0],
    ['a process that ended has taken its time along', reading(0, 900), reading(1000, 400), 0],
  ])('%s', (_what, from, to, cores) => expect(busyCores(from, to)).toBe(cores));

  it('are not told after too short a time', () => {
    expect(busyCores(reading(0, 0), reading(0, 0))).toBeNull();
    expect(busyCores(reading(0, 0), reading(499, 10))).toBeNull();
    expect(busyCores(reading(0, 0), reading(500, 10))).toBe(0.02);
  });
});

describe('recent usage', () => {
  /** Cores told at these times, where `busy` says how many were busy in each second. */
  function told(times: readonly number[], busy: readonly number[]): (number | null)[] {
    let at = 0;
    const cpuMs = () => busy.slice(0, at / 1000).reduce((sum, cores) => sum + cores * 1000, 0);
    const recent = new RecentUsage(3000, () => reading(at, cpuMs(), at));
    return times.map((time) => {
      at = time;
      const { cpuCores, memoryBytes } = recent.now();
      expect(memoryBytes).toBe(time);
      return cpuCores;
    });
  }

  it('is the mean of the last seconds, of fewer at the beginning', () => {
    expect(told([0, 1000, 2000, 3000, 4000, 5000, 6000], [2, 0, 1, 1, 1, 1])).toEqual([
      ...[null, 2, 1, 1, 0.667, 1, 1],
    ]);
  });

  it('is of a longer time where nobody asked for long', () => {
    expect(told([1000, 9000, 10_000], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1])).toEqual([1, 0, 0.111]);
  });
});

describe.runIf(process.platform === 'linux')('the processes of sandboxes', () => {
  beforeAll(ensureBuilt, 120_000);

  const open = () =>
    openSandbox<{ do: string; ms?: number }, unknown>({
      module: fileURLToPath(new URL('../../support/sandbox-work.mjs', import.meta.url)),
      setup: {},
      ...{ processes: 1, eager: 1, limitMs: 60_000, called: 'a child' },
      ...{ overrun: () => new Error() as never, cannotOpen: () => new Error() as never },
      onNotice: () => undefined,
    });

  it('count while they live, and what they computed also after that', async () => {
    const memory = (usage: Usage) => usage.memoryBytes - process.memoryUsage.rss();
    {
      await using sandbox = await open();
      const before = readUsage();
      await sandbox.run({ do: 'compute', ms: 200 });
      const after = readUsage();
      expect(after.cpuMs - before.cpuMs).toBeGreaterThanOrEqual(190);
      // An empty Node.js process has some 40 MB.
      expect(memory(after)).toBeGreaterThan(20e6);
    }
    expect(memory(readUsage())).toBeLessThan(20e6);
  });

  it('keep what was last read of one that crashes', async () => {
    await using sandbox = await open();
    await sandbox.run({ do: 'compute', ms: 200 });
    const before = sandboxCpuMs();
    await expect(sandbox.run({ do: 'crash' })).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(sandboxCpuMs()).toBeGreaterThanOrEqual(before);
  });
});
