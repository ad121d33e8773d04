/** What `model use` and `model rollback` share: they show what a switch changes, ask where it may surprise, and make it. */
import type { Pool } from 'pg';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { percent } from '../../lib/base/report/table.ts';
import { loadModel } from '../../lib/models/format/model.ts';
import { entryLabel, type ModelEntry } from '../../lib/models/store/entry.ts';
import { activateForPipeline, readPipelineModel } from '../../lib/models/store/pipeline-model.ts';
import type { ModelStore } from '../../lib/models/store/store.ts';
import { requireAgreement, verifyModel } from '../../lib/models/store/verify.ts';
import { checkRules, hasFaults } from '../../lib/systems/bins/check.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { readBins } from '../../lib/systems/database/tables/bins.ts';
import { faultLines, noteLines, some } from '../bins/faults.ts';
import { confirmed, nothingChanged } from '../shared/confirm.ts';
import { openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';

/** One side of a switch. */
interface Side {
  name: string;
  version: string;
  digest: string;
  labels: readonly string[];
  /** Share of its hold-out that it got right; null where nobody measured. */
  top1: number | null;
}

export interface SwitchFlags {
  /** Though it agrees too little with its parent, or the bins in force do not fit its labels. */
  force?: boolean;
}

interface Switch {
  models: ModelStore;
  entry: ModelEntry;
  /** Of the pipeline; null where there is none. */
  database: Database | null;
}

/** Of the pipeline where there is one, else of this host alone. Returns the exit code. */
export async function switchModel(
  context: Context,
  { models, entry, database }: Switch,
  { force = false }: SwitchFlags,
): Promise<number> {
  const model = await loadModel(entry.path);
  await verifyModel(model);
  if (!force) requireAgreement(entry);
  const after: Side = { ...model.info, top1: model.manifest?.metrics?.top1 ?? null };
  const before =
    (database && (await pipelineSide(database.pool, context.config.pipeline))) ?? (await localSide(models));
  const labels = changedLabels(before, after);
  const bins = database && (await heldToBins(database, context.config.pipeline, after.labels));
  for (const line of [...changeLines(before, after, labels), ...(bins?.notes ?? [])]) context.say(line);
  if (bins !== null && bins.faults.length > 0 && !force) throw binsMisfit(after, bins);

  // Whoever runs no pipeline has no belt to surprise.
  const surprises =
    before !== null && (labels.gone.length > 0 || labels.come.length > 0 || bins?.faults.length);
  if (database !== null && surprises) {
    const what = `${entryLabel(after)} has other labels than ${entryLabel(before)}`;
    if (!(await confirmed(context, what, `Switch the consumers of pipeline ${context.config.pipeline}?`))) {
      context.say(nothingChanged);
      return 1;
    }
  }
  await models.use(entry);
  let pipeline: string | null = null;
  if (database !== null) {
    ({ pipeline } = context.config);
    await using store = await openReadyStore(context);
    await activateForPipeline({ pool: database.pool, store }, pipeline, model);
  }
  if (context.config.model !== undefined)
    context.say('VISIONSCALE_MODEL is set and overrides the active model');
  const { name, version, digest } = after;
  const former = before && { name: before.name, version: before.version, digest: before.digest };
  const document = { name, version, digest, active: true, pipeline, former, labels, bins };
  context.print(document, () => {
    const what = `${entryLabel(entry)} is the active model${before?.digest === digest ? ' already' : ''}`;
    return pipeline === null ? what : `${what}, here and for the consumers of pipeline ${pipeline}`;
  });
  return 0;
}

async function pipelineSide(pool: Pool, pipeline: string): Promise<Side | null> {
  const published = await readPipelineModel(pool, pipeline);
  if (published === null) return null;
  const { labels = [], metrics } = published.manifest;
  return { ...published, labels, top1: metrics?.top1 ?? null };
}

/** What consumers run where nobody has chosen for the pipeline; null also where it is gone or broken. */
async function localSide(models: ModelStore): Promise<Side | null> {
  try {
    const entry = await models.active();
    if (entry === undefined) return null;
    const { info, manifest } = await loadModel(entry.path);
    return { ...info, top1: manifest?.metrics?.top1 ?? null };
  } catch (error) {
    if (error instanceof VisionscaleError) return null;
    throw error;
  }
}

interface ChangedLabels {
  gone: string[];
  come: string[];
}

function changedLabels(before: Side | null, after: Side): ChangedLabels {
  const had = new Set(before?.labels ?? after.labels);
  const has = new Set(after.labels);
  return {
    gone: [...had].filter((label) => !has.has(label)),
    come: [...has].filter((label) => !had.has(label)),
  };
}

interface HeldToBins {
  version: number;
  /** One line each: rules that name what the model does not have. */
  faults: string[];
  notes: string[];
}

async function heldToBins(
  { pool }: Database,
  pipeline: string,
  labels: readonly string[],
): Promise<HeldToBins | null> {
  const active = await readBins(pool, pipeline);
  if (active === null) return null;
  const checked = checkRules(active.rules, labels);
  const faults = hasFaults(checked) ? faultLines(checked) : [];
  return { version: active.version, faults, notes: noteLines(checked, active.rules.manual) };
}

function binsMisfit(after: Side, { version, faults }: HeldToBins): VisionscaleError {
  const lines = faults.map((line) => `\n  ${line}`).join('');
  return new VisionscaleError(`version ${version} of the bins does not fit ${entryLabel(after)}:${lines}`, {
    code: 'bins_misfit',
    hint: 'Apply bins that fit first (visionscale bins use <file> --force), or switch anyway with --force.',
  });
}

function changeLines(before: Side | null, after: Side, { gone, come }: ChangedLabels): string[] {
  if (before === null || before.digest === after.digest) return [];
  const accuracy = ({ top1 }: Side) => (top1 === null ? 'not measured' : percent(top1));
  return [
    `model     ${entryLabel(before)} -> ${entryLabel(after)}`,
    `accuracy  ${accuracy(before)} -> ${accuracy(after)}, each on its own test images`,
    gone.length + come.length === 0
      ? `labels    the same ${after.labels.length}`
      : `labels    ${before.labels.length} -> ${after.labels.length}`,
    ...(gone.length === 0 ? [] : [`  removed ${gone.length}: ${some(gone)}`]),
    ...(come.length === 0 ? [] : [`  added   ${come.length}: ${some(come)}`]),
  ];
}
