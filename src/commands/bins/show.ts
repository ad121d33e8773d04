/** What `bins show` does: prints the rules of a version. */
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { writeRules } from '../../lib/systems/bins/rules-file.ts';
import { readBins } from '../../lib/systems/database/tables/bins.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context, version: number | undefined): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const found = await readBins(database.pool, pipeline, version);
  if (found === null) {
    const what = version === undefined ? 'has no bins' : `has no version ${version} of its bins`;
    throw new VisionscaleError(`pipeline ${pipeline} ${what}`, {
      code: 'no_bins',
      hint: 'See what there is: visionscale bins list',
    });
  }
  context.print(found, () => {
    const { active, source, createdAt } = found;
    const state = active ? 'in force' : 'not in force';
    const from = JSON.stringify(source);
    return `# version ${found.version}, ${state}, from ${from}, ${createdAt.toISOString()}\n${writeRules(found.rules).trimEnd()}`;
  });
}
