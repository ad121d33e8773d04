/** What `bins use` and `bins rollback` do: check rules against the active model's labels, show what changes, and apply them. */
import { basename } from 'node:path';
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { printable } from '../../lib/base/printable.ts';
import { faultLines, noteLines, unknownNote } from '../../lib/systems/bins/check-lines.ts';
import {
  type Checked,
  checkRules,
  type ComparedRules,
  compareRules,
  hasFaults,
} from '../../lib/systems/bins/check.ts';
import { readRules } from '../../lib/systems/bins/rules-file.ts';
import type { BinRules } from '../../lib/systems/bins/rules.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { readBins, useBins } from '../../lib/systems/database/tables/bins.ts';
import { listSwitches } from '../../lib/systems/database/tables/switches.ts';
import { modelAnswers } from '../shared/model-labels.ts';
import type { Context } from '../shared/run.ts';

export interface UseBinsFlags {
  /** Though they name labels that the model lacks. */
  force?: boolean;
}

export default async function (context: Context, file: string, flags: UseBinsFlags): Promise<void> {
  const rules = readRules(file);
  await using database = await openDatabase(context);
  await apply(context, database, { rules, source: basename(file) }, flags);
}

/** To the rules before the latest switch. */
export async function rollback(context: Context, flags: UseBinsFlags): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const [latest] = await listSwitches(database.pool, pipeline, 'bins', 1);
  const version = latest?.former ?? null;
  const former = version === null ? null : await readBins(database.pool, pipeline, Number(version));
  if (former === null) {
    throw new VisionscaleError(`pipeline ${pipeline} has no previous bins`, {
      code: 'no_former',
      hint: 'List the versions (visionscale bins list), or apply a file: visionscale bins use <file>',
    });
  }
  await apply(context, database, former, flags);
}

async function apply(
  context: Context,
  { pool }: Database,
  { rules, source }: { rules: BinRules; source: string },
  { force = false }: UseBinsFlags,
): Promise<void> {
  const { pipeline } = context.config;
  const model = await modelAnswers(context, pool);
  const checked = model && checkRules(rules, model.labels);
  if (!force) refuseFaults(checked);
  const before = await readBins(pool, pipeline).catch(unreadable);
  const changes = before && compareRules(before.rules, rules, model?.labels ?? []);
  const { version, created, former } = await useBins(pool, pipeline, rules, source);
  const notes =
    model === null || checked === null
      ? []
      : [...faultLines(checked), ...noteLines(checked, rules.manual), ...unknownNote(rules, model)];
  for (const line of [...(changes === null ? [] : changeLines(changes)), ...notes]) context.say(line);
  context.print({ version, created, former, source, pipeline, changes, ...checked }, () => {
    if (former === version)
      return `version ${version} of the bins of pipeline ${pipeline} is in force already`;
    const which = created ? `version ${version}` : `version ${version}, which has the same rules,`;
    const back = former === null ? '' : ` (version ${former} before; go back: visionscale bins rollback)`;
    return `${which} of the bins of pipeline ${pipeline} is in force${back}`;
  });
}

/** Rules of a later version: nobody can tell what changes, and replacing them is what mends it. */
function unreadable(error: unknown): null {
  if (error instanceof VisionscaleError && error.code === 'bins_unreadable') return null;
  throw error;
}

/** Labels named in a list at most. */
const mostNamed = 8;

function changeLines({ added, removed, moved, unknown }: ComparedRules): string[] {
  const bins = (names: string[]) => names.map(printable).join(', ');
  const moves = moved
    .slice(0, mostNamed)
    .map(({ label, from, to }) => `  ${printable(`${label}: ${from} -> ${to}`)}`);
  return [
    ...(removed.length === 0 ? [] : [`removed bins: ${bins(removed)}`]),
    ...(added.length === 0 ? [] : [`added bins: ${bins(added)}`]),
    ...(moved.length === 0 ? [] : [`labels that go to another bin: ${moved.length}`, ...moves]),
    ...(moved.length > mostNamed ? ['  …'] : []),
    ...(unknown === null ? [] : [printable(`unknown objects: ${unknown.from} -> ${unknown.to}`)]),
  ];
}

function refuseFaults(checked: Checked | null): void {
  if (checked === null) {
    throw new VisionscaleError('there is no model to check the bins against', {
      code: 'no_model',
      hint: 'Choose one with `visionscale model use` or --model, or use them unchecked with --force.',
    });
  }
  if (!hasFaults(checked)) return;
  const lines = faultLines(checked);
  throw new VisionscaleError(
    lines.length === 1
      ? lines[0]!
      : `the bins name labels that the model does not have:\n${lines.map((l) => `  ${l}`).join('\n')}`,
    {
      code: 'bins_unknown_labels',
      hint: 'Correct them, or use them as they are with --force: rules for missing labels do no harm.',
    },
  );
}
