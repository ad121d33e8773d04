/** What `bins check` does: reads rules and holds them to the labels of the active model. */
import { openDatabase } from '../../compose.ts';
import { noModel } from '../../lib/models/store/chosen.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { checkRules, hasFaults } from '../../lib/systems/bins/check.ts';
import { readRules } from '../../lib/systems/bins/rules-file.ts';
import { localLabels, modelLabels } from '../shared/model-labels.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { faultLines, noteLines } from './faults.ts';

export default async function (context: Context, file: string): Promise<number> {
  const rules = readRules(file);
  const labels = await labelsOf(context);
  if (labels === null) throw noModel(await openModelStore(context.config.models).list());
  const checked = checkRules(rules, labels);
  const ok = !hasFaults(checked);
  context.print({ ok, ...checked }, () => {
    const mapped = labels.length - checked.unmapped.length;
    return [
      `${file}: ${rules.bins.length} bins for ${mapped} of ${labels.length} labels${ok ? '' : ', with faults'}`,
      ...faultLines(checked).map((line) => `fault  ${line}`),
      ...noteLines(checked, rules.manual).map((line) => `note   ${line}`),
    ].join('\n');
  });
  return ok ? 0 : 1;
}

/** Whoever has no database yet needs none started for this. */
async function labelsOf(context: Context): Promise<readonly string[] | null> {
  if (!hasPipeline(context)) return localLabels(context);
  await using database = await openDatabase(context);
  return await modelLabels(context, database.pool);
}
