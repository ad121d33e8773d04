/** What `model use` and `model rollback` share, for a pipeline or a belt: they show what a switch changes, ask where it may surprise, and make it. */
import { VisionscaleError } from '../../lib/base/errors.ts';
import { type LoadedModel, loadModel } from '../../lib/models/format/model.ts';
import { entryLabel, type ModelEntry } from '../../lib/models/store/entry.ts';
import {
  changeLines,
  loadedSide,
  modelChange,
  requireFit,
  type SwitchSide,
} from '../../lib/models/store/model-switch.ts';
import { activateForPipeline } from '../../lib/models/store/pipeline-model.ts';
import type { ModelStore } from '../../lib/models/store/store.ts';
import { requireAgreement, verifyModel } from '../../lib/models/store/verify.ts';
import type { Database } from '../../lib/systems/database/open.ts';
import { setBeltModel } from '../../lib/systems/database/tables/belt-models.ts';
import { confirmed, nothingChanged } from '../shared/confirm.ts';
import { openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';

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
  const change = await modelChange(database?.pool ?? null, {
    pipeline: config.pipeline,
    belt,
    after: model && loadedSide(model),
    local: await localSide(models),
  });
  const { before, after, labels, bins } = change;
  for (const line of [...changeLines(change), ...(bins?.notes ?? [])]) context.say(line);
  if (!force) requireFit(change);

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

/** What consumers run where nobody has chosen for the pipeline; null also where it is gone or broken. */
async function localSide(models: ModelStore): Promise<SwitchSide | null> {
  try {
    const entry = await models.active();
    return entry === undefined ? null : loadedSide(await loadModel(entry.path));
  } catch (error) {
    if (error instanceof VisionscaleError) return null;
    throw error;
  }
}
