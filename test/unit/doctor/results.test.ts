/** What doctor says of results topics that are not spread as their source is. */
import { expect, it } from 'vitest';
import { resultsCheck, type ResultsCheckDeps } from '../../../src/lib/pipeline/doctor/results.ts';

function check(partitions: number) {
  const row = { results: 0, deadLetters: 0, oldestSeconds: null, reason: null };
  const deps = {
    database: () => Promise.resolve({ pool: { query: () => Promise.resolve({ rows: [row] }) } }),
    topic: () => Promise.resolve({ name: 'belt', partitions: () => Promise.resolve(3) }),
    results: () => Promise.resolve({ look: () => Promise.resolve([{ name: 'belt.results', partitions }]) }),
  };
  return resultsCheck(deps as unknown as ResultsCheckDeps, 'default').run();
}

it.each([
  [1, /Add partitions: visionscale topic grow --partitions 3$/],
  [5, /Add partitions: visionscale topic grow --partitions 5$/],
] as const)('says of %i partitions what to do', async (partitions, hint) => {
  expect(await check(partitions)).toMatchObject({
    warning: `belt.results: ${partitions} partitions, belt has 3`,
    hint: expect.stringMatching(hint) as string,
  });
});
