/** What `bins show`, `check` and `try` do: they read rules, and change nothing. */
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { printable } from '../../lib/base/printable.ts';
import { counted } from '../../lib/base/report/table.ts';
import { noModel } from '../../lib/models/store/chosen.ts';
import type { ModelAnswers } from '../../lib/models/store/model-answers.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { faultLines, noteLines, unknownNote } from '../../lib/systems/bins/check-lines.ts';
import { checkRules, hasFaults } from '../../lib/systems/bins/check.ts';
import { BinTable, decideBin } from '../../lib/systems/bins/decide.ts';
import { readRules, writeRules } from '../../lib/systems/bins/rules-file.ts';
import type { BinRules } from '../../lib/systems/bins/rules.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { readBins } from '../../lib/systems/database/tables/bins.ts';
import { latestResults } from '../../lib/systems/database/tables/predictions.ts';
import { localAnswers, modelAnswers } from '../shared/model-labels.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';

export async function show(context: Context, version: number | undefined): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const found = await readBins(database.pool, pipeline, version);
  if (found === null) {
    const what = version === undefined ? 'has no bins' : `has no version ${version} of its bins`;
    throw new VisionscaleError(`pipeline ${pipeline} ${what}`, {
      code: 'no_bins',
      hint: 'List the versions: visionscale bins list',
    });
  }
  context.print(found, () => {
    const { active, source, createdAt } = found;
    const state = active ? 'in force' : 'not in force';
    const from = JSON.stringify(source);
    return `# version ${found.version}, ${state}, from ${from}, ${createdAt.toISOString()}\n${writeRules(found.rules).trimEnd()}`;
  });
}

export async function check(context: Context, file: string): Promise<number> {
  const rules = readRules(file);
  const model = await answersOf(context);
  if (model === null) throw noModel(await openModelStore(context.config.models).list());
  const { labels, tellsUnknown } = model;
  const checked = checkRules(rules, labels);
  const ok = !hasFaults(checked);
  context.print({ ok, ...checked, tellsUnknown }, () => {
    const mapped = labels.length - checked.unmapped.length;
    return [
      `${file}: ${counted(rules.bins.length, 'bin')} for ${mapped} of ${counted(labels.length, 'label')}${ok ? '' : ', with faults'}`,
      ...faultLines(checked).map((line) => `fault  ${line}`),
      ...[...noteLines(checked, rules.manual), ...unknownNote(rules, model)].map((line) => `note   ${line}`),
    ].join('\n');
  });
  return ok ? 0 : 1;
}

/** Whoever has no database yet needs none started for this. */
async function answersOf(context: Context): Promise<ModelAnswers | null> {
  if (!hasPipeline(context)) return localAnswers(context);
  await using database = await openDatabase(context);
  return await modelAnswers(context, database.pool);
}

export interface TryFlags {
  key: string;
  file?: string;
}

interface Tried {
  rules: BinRules;
  /** Null: of a file. */
  version: number | null;
}

/** The deadline plays no part: an image that was late may be in time the next time. */
export async function tryOut(context: Context, { key, file }: TryFlags): Promise<void> {
  const { pipeline } = context.config;
  const given: Tried | null = file === undefined ? null : { rules: readRules(file), version: null };
  await using database = await openDatabase(context);
  const [row] = await latestResults(database.pool, { pipeline, key, limit: 1 });
  if (row === undefined) {
    throw new VisionscaleError(`there is no prediction of ${JSON.stringify(key)} in pipeline ${pipeline}`, {
      code: 'no_prediction',
      hint: 'List the keys: visionscale results',
    });
  }
  const { rules, version } = given ?? (await inForce(database, pipeline));
  const table = new BinTable(rules);
  const { bin, reason } = decideBin(table, row);
  const rule = table.ruleOf(row.category);
  const document = {
    key,
    category: row.category,
    confidence: row.confidence,
    top: row.top,
    novelty: row.novelty,
    bin,
    reason,
    version,
  };
  context.print(
    { ...document, recorded: { bin: row.bin, reason: row.binReason, version: row.binVersion } },
    () => {
      const [, second] = row.top;
      const after =
        second === undefined ? '' : `, then ${second.category} (${second.confidence.toFixed(1)} %)`;
      const asked =
        reason === 'unknown'
          ? `it is unlike every class (novelty ${row.novelty!.toFixed(2)}; unknown from 1)`
          : rule === null
            ? 'no bin has this class'
            : `${rule.bin} asks for ${rule.confidence} %, ${rule.margin} points ahead`;
      return printable(
        `${row.category} (${row.confidence.toFixed(1)} %)${after}; ${asked}: ${bin}${reason === 'mapped' ? '' : ` (${reason})`}`,
      );
    },
  );
}

async function inForce({ pool }: Database, pipeline: string): Promise<Tried> {
  const active = await readBins(pool, pipeline);
  if (active === null) {
    throw new VisionscaleError(`pipeline ${pipeline} has no bins`, {
      code: 'no_bins',
      hint: 'Name rules with --file, or put some in force: visionscale bins use <file>',
    });
  }
  return active;
}
