/** What `model use` and `model rollback` share, for a pipeline or a belt: they show what a switch changes, ask where it may surprise, and make it. */
import { VisionscaleError } from '../../lib/base/errors.ts';
import { percent } from '../../lib/base/report/table.ts';
import { type LoadedModel, loadModel } from '../../lib/models/format/model.ts';
import { entryLabel, type ModelEntry } from '../../lib/models/store/entry.ts';
import {
  activateForPipeline,
  type ModelInUse,
  readModelsInUse,
} from '../../lib/models/store/pipeline-model.ts';
import type { ModelStore } from '../../lib/models/store/store.ts';
import { requireAgreement, verifyModel } from '../../lib/models/store/verify.ts';
import { checkRules, hasFaults } from '../../lib/systems/bins/check.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { setBeltModel } from '../../lib/systems/database/tables/belt-models.ts';
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
  /** Null: the belt takes the pipeline's model again. */
  entry: ModelEntry | null;
  /** The one that is switched; null: the pipeline, and with it every belt without a model of its own. */
  belt: string | null;
  /** Of the pipeline; null where there is none. */
  database: Database | null;
}

/** Of the pipeline or its belt where there is one, else of this host alone. Returns the exit code. */
export async function switchModel(
  context: Context,
  { models, entry, belt, database }: Switch,
  { force = false }: SwitchFlags,
): Promise<number> {
  const { config } = context;
  const model = entry && (await checked(entry, force));
  const chosen =
    database === null ? [] : (await readModelsInUse(database.pool, config.pipeline)).map(chosenSide);
  const pipelines = chosen.find((one) => one.belt === null) ?? (await localSide(models));
  const before = chosen.find((one) => one.belt === belt) ?? pipelines;
  const after = model === null ? pipelines : loadedSide(model);
  if (after === null) throw nothingToTake(config.pipeline);
  const belts = chosen.filter((one) => one.belt !== null && one.belt !== belt);
  const inUse = [after, ...(belt === null ? [] : [pipelines]), ...belts];
  const labels = changedLabels(before, after);
  const bins = database && (await heldToBins(database, config.pipeline, labelsOf(inUse)));
  for (const line of [...changeLines(before, after, labels), ...(bins?.notes ?? [])]) context.say(line);
  if (bins !== null && bins.faults.length > 0 && !force) throw binsMisfit(after, bins);

  // Whoever runs no pipeline has no belt to surprise.
  const surprises =
    before !== null && (labels.gone.length > 0 || labels.come.length > 0 || bins?.faults.length);
  if (database !== null && surprises) {
    const what = `${entryLabel(after)} has other labels than ${entryLabel(before)}`;
    const whose = belt === null ? 'the consumers' : `belt ${belt}`;
    if (!(await confirmed(context, what, `Switch ${whose} of pipeline ${config.pipeline}?`))) {
      context.say(nothingChanged);
      return 1;
    }
  }
  if (entry !== null && belt === null) await models.use(entry);
  const pipeline = database === null ? null : config.pipeline;
  if (database !== null) await activate(context, database, { model, belt });
  if (config.model !== undefined) context.say('VISIONSCALE_MODEL is set and overrides the active model');
  const { name, version, digest } = after;
  const former = before && { name: before.name, version: before.version, digest: before.digest };
  const document = { name, version, digest, active: true, pipeline, belt, former, labels, bins };
  context.print(document, () => {
    const already = before?.digest === digest ? ' already' : '';
    if (belt !== null) {
      const which = model === null ? `, as all of pipeline ${pipeline} without one of their own` : '';
      return `belt ${belt} takes ${entryLabel(after)}${already}${which}`;
    }
    const what = `${entryLabel(after)} is the active model${already}`;
    return pipeline === null ? what : `${what}, here and for the consumers of pipeline ${pipeline}`;
  });
  return 0;
}

async function checked(entry: ModelEntry, force: boolean): Promise<LoadedModel> {
  const model = await loadModel(entry.path);
  await verifyModel(model);
  if (!force) requireAgreement(entry);
  return model;
}

/** `model` null: the belt has none of its own from now on. */
async function activate(
  context: Context,
  { pool }: Database,
  { model, belt }: { model: LoadedModel | null; belt: string | null },
): Promise<void> {
  const { pipeline } = context.config;
  if (model === null) {
    if (belt !== null) await setBeltModel(pool, { pipeline, belt }, null);
    return;
  }
  await using store = await openReadyStore(context);
  await activateForPipeline({ pool, store }, { pipeline, belt }, model);
}

function chosenSide({ belt, name, version, digest, manifest }: ModelInUse): Side & { belt: string | null } {
  const { labels = [], metrics } = manifest;
  return { belt, name, version, digest, labels, top1: metrics?.top1 ?? null };
}

function loadedSide({ info, manifest }: LoadedModel): Side {
  return { ...info, top1: manifest?.metrics?.top1 ?? null };
}

/** What consumers run where nobody has chosen for the pipeline; null also where it is gone or broken. */
async function localSide(models: ModelStore): Promise<Side | null> {
  try {
    const entry = await models.active();
    return entry === undefined ? null : loadedSide(await loadModel(entry.path));
  } catch (error) {
    if (error instanceof VisionscaleError) return null;
    throw error;
  }
}

/** Each once. */
function labelsOf(sides: readonly (Side | null)[]): string[] {
  return [...new Set(sides.flatMap((side) => side?.labels ?? []))];
}

function nothingToTake(pipeline: string): VisionscaleError {
  return new VisionscaleError(`pipeline ${pipeline} has no model that the belt could take`, {
    code: 'no_model',
    hint: 'Choose one first: visionscale model use <model> (all: visionscale model list)',
  });
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
