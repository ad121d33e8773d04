/** `npm run test:faults`: one seed of the schedule; VISIONSCALE_FAULTS_* say which, on what and for how long. */
import { expect, it } from 'vitest';
import { optionsFrom } from './options.ts';
import { play, tidy } from './play.ts';

const options = optionsFrom(process.env);

it(`seed ${options.seed}: nothing lost, nothing twice, nothing stuck`, async () => {
  const report = await play(options, (text) => void process.stdout.write(`${text}\n`));
  expect(report.problems).toEqual([]);
  await tidy(report);
});
