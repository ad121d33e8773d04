/** The short form of `npm run test:faults`: some of the schedule on the embedded stack. */
import { expect } from 'vitest';
import { defaults } from '../faults/options.ts';
import { play, tidy } from '../faults/play.ts';
import { itThorough } from '../support/thorough.ts';

itThorough(
  'loses nothing, doubles nothing and goes on through kills, a frozen owner and bad input',
  async () => {
    const said: string[] = [];
    const report = await play(
      {
        ...defaults,
        // Each of them once at most.
        kinds: ['kill -9', 'SIGSTOP of an owner past its lease', 'taken away'],
        most: 4,
        minutes: 0.3,
        gapMs: [200, 600],
        together: 0,
        poison: 0.06,
        duplicates: 0.1,
      },
      (text) => said.push(text),
    );
    expect(report.problems, said.join('\n')).toEqual([]);
    expect(report.counts).toMatchObject({ lost: 0, doubled: 0 });
    // On a slow machine fewer fit into the time.
    expect(report.recoveries.length, said.join('\n')).toBeGreaterThanOrEqual(3);
    expect(report.counts.deadLetters).toBeGreaterThan(10);
    expect(report.counts.duplicates).toBeGreaterThan(0);
    await tidy(report);
  },
  240_000,
);
