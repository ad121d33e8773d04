/** What `bins use` does: checks rules against the active model's labels and puts them in force. */
import { basename } from 'node:path';
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { type Checked, checkRules, hasFaults } from '../../lib/systems/bins/check.ts';
import { readRules } from '../../lib/systems/bins/rules-file.ts';
import { useBins } from '../../lib/systems/database/tables/bins.ts';
import { modelLabels } from '../shared/model-labels.ts';
import type { Context } from '../shared/run.ts';
import { faultLines, noteLines } from './faults.ts';

export default async function (context: Context, file: string, options: { force?: boolean }): Promise<void> {
  const { pipeline } = context.config;
  const rules = readRules(file);
  await using database = await openDatabase(context);
  const labels = await modelLabels(context, database.pool);
  const checked = labels === null ? null : checkRules(rules, labels);
  if (options.force !== true) refuseFaults(checked);
  const source = basename(file);
  const { version, created, former } = await useBins(database.pool, pipeline, rules, source);
  const notes = checked === null ? [] : noteLines(checked, rules.manual);
  for (const note of [...(checked === null ? [] : faultLines(checked)), ...notes]) context.say(note);
  context.print({ version, created, former, source, pipeline, ...checked }, () => {
    if (former === version)
      return `version ${version} of the bins of pipeline ${pipeline} is in force already`;
    const which = created ? `version ${version}` : `version ${version}, which has the same rules,`;
    return `${which} of the bins of pipeline ${pipeline} is in force`;
  });
}

function refuseFaults(checked: Checked | null): void {
  if (checked === null) {
    throw new VisionscaleError('there is no model whose labels the bins could be checked against', {
      code: 'no_model',
      hint: 'Choose one with `visionscale model use` or --model, or use them unchecked with --force.',
    });
  }
  if (!hasFaults(checked)) return;
  const lines = faultLines(checked);
  throw new VisionscaleError(
    lines.length === 1
      ? lines[0]!
      : `the bins name what the model does not have:\n${lines.map((l) => `  ${l}`).join('\n')}`,
    {
      code: 'bins_unknown_labels',
      hint: 'Correct them, or use them as they are with --force: what never comes does no harm.',
    },
  );
}
