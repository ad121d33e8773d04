/** What doctor says of results topics that are not spread as their source is. */
import { expect, it } from 'vitest';
import { resultsCheck, type ResultsCheckDeps } from '../../../src/lib/pipeline/doctor/results.ts';

function check(kind: 'kafka' | 'embedded', partitions: number) {
  const row = { results: 0, deadLetters: 0, oldestSeconds: null, reason: null };
  const deps = {
    database: () => Promise.resolve({ pool: { query: () => Promise.resolve({ rows: [row] }) } }),
    topic: () => Promise.resolve({ kind, name: 'belt', partitions: () => Promise.resolve(3) }),
    results: () => Promise.resolve({ look: () => Promise.resolve([{ name: 'belt.results', partitions }]) }),
  };
  return resultsCheck(deps as unknown as ResultsCheckDeps, 'default').run();
}

it.each([
  ['kafka', 1, /Add partitions: kafka-topics .*--alter --topic belt\.results --partitions 3$/],
  ['kafka', 5, /Add partitions: kafka-topics .*--alter --topic belt --partitions 5$/],
  ['embedded', 1, /Nothing is lost/],
] as const)('says of %s with %i partitions what to do', async (kind, partitions, hint) => {
  expect(await check(kind, partitions)).toMatchObject({
    warning: `belt.results: ${partitions} partitions, belt has 3`,
    hint: expect.stringMatching(hint) as string,
  });
});
