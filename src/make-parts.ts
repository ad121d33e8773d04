/** `npm run make-parts -- --count N --seed S <dir>`: draws parts on a belt into class folders, as `train` reads them. */
import { parseArgs } from 'node:util';
import { drawParts } from './lib/local/drawings/draw.ts';
import { kinds } from './lib/local/drawings/shapes.ts';

const usage = 'usage: npm run make-parts -- [--count 1000] [--seed 1] <dir>\n';

const { values, positionals } = parseArgs({
  options: { count: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const [count, seed] = [values.count, values.seed].map(Number) as [number, number];
const [directory] = positionals;
if (
  directory === undefined ||
  positionals.length > 1 ||
  !Number.isSafeInteger(count) ||
  count < 1 ||
  !Number.isInteger(seed) ||
  seed !== (seed | 0)
) {
  process.stderr.write(usage);
  process.exit(2);
}
const began = performance.now();
await drawParts(directory, { count, seed });
const seconds = (performance.now() - began) / 1000;
const classes = Math.min(count, kinds.length);
process.stdout.write(
  `drew ${count} pictures of ${classes} kinds in ${directory} in ${seconds.toFixed(1)} s\n`,
);
