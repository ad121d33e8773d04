/** What `train` does: a judged version of a model in the store, its report, and what is to be said about both. */
import { basename, dirname, join, resolve } from 'node:path';
import { loadModel, openClassifier, openDatabase, openStore } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { type CorrectedDataset, correctedExamples } from '../../lib/learning/corrections.ts';
import { groupPattern } from '../../lib/learning/groups/names.ts';
import type { TrainMode } from '../../lib/learning/train/modes.ts';
import type { NetworkTraining, TrainedNetwork } from '../../lib/learning/train/network/network.ts';
import { train } from '../../lib/learning/train/train.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import { checkModelName } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';
import { TrainProgress } from './progress.ts';
import { document, summary } from './result.ts';

export interface TrainFlags {
  val?: string;
  valSplit: number;
  groupBy?: string;
  followLinks?: boolean;
  name?: string;
  from?: string;
  mode: TrainMode;
  inputSize?: number;
  strict?: boolean;
  epochs?: number;
  batchSize?: number;
  seed: number;
  fromCorrections?: boolean;
  retrain?: boolean;
  resume?: boolean;
  out: string;
}

const epochsOf = { head: 0, scratch: 60 } as const;

export default async function (
  context: Context,
  given: string | undefined,
  flags: TrainFlags,
): Promise<number> {
  const { config, signal } = context;
  const dir = given ?? config.trainingDir;
  if (dir === undefined && !flags.fromCorrections) {
    throw new UsageError(
      'train needs a directory',
      'visionscale train <dir>, or set TRAINING_DATA_DIR, or --from-corrections',
    );
  }
  if (flags.inputSize !== undefined && flags.mode !== 'scratch') {
    throw new UsageError('--input-size is for --mode scratch: mode head uses the input size of its parent');
  }
  const store = openModelStore(config.models);
  const model = flags.from ?? config.model;
  const began = performance.now();
  using progress = new TrainProgress(context);
  const result = await train({
    ...flags,
    dir,
    classes: config.classNames,
    groupBy: flags.groupBy === undefined ? undefined : groupPattern(flags.groupBy),
    corrections: flags.fromCorrections ? () => corrections(context) : undefined,
    name: flags.name === undefined ? nameOf(dir ?? config.pipeline) : checkModelName(flags.name, 'name'),
    parent: async () => {
      await ensureModel({ ...context, config: { ...config, model } });
      return loadModel({ ...config, model });
    },
    epochs: flags.epochs ?? epochsOf[flags.mode],
    retrain: flags.retrain === true,
    resume: flags.resume === true,
    store,
    workDir: join(config.dataDir, 'training'),
    engine: config.engine,
    device: config.device,
    workers: config.workers,
    limits: config.limits,
    autoOrient: config.autoOrient,
    openClassifier: (made) => openClassifier({ ...context, onNotice: () => undefined }, made),
    trainNetwork,
    requireNetworkTraining,
    signal,
    onEvent: (event) => progress.show(event),
    onNotice: context.onNotice,
  });
  progress[Symbol.dispose]();
  const active = await store.active().catch(() => undefined);
  const seconds = (performance.now() - began) / 1000;
  context.print(document(result, active, flags, seconds), () => summary(result, active));
  // What a script does next was meant for the whole training.
  return result.kind === 'trained' && result.interrupted ? 130 : 0;
}

async function corrections(context: Context): Promise<CorrectedDataset> {
  const { config, signal, interactive, say } = context;
  await using database = await openDatabase(context);
  await using store = await openStore(context);
  using progress = new Progress({ label: 'corrections', unit: 'images', interactive, line: say });
  const onProgress = () => progress.advance(1);
  const deps = { pool: database.pool, store, limits: config.limits, signal, onProgress };
  return await correctedExamples(deps, config.pipeline, join(config.dataDir, 'training', 'corrected'));
}

/** The directory's name; of `fruit/train`, the one above it. */
function nameOf(dir: string): string {
  const path = resolve(dir);
  const own = /^(train|training|images|data|dataset)$/i.test(basename(path))
    ? basename(dirname(path))
    : basename(path);
  const name = own
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/^[._-]+|[.]+$/g, '')
    .slice(0, 100);
  return checkModelName(name || 'model', 'name');
}

/** What trains from scratch is loaded only when it is asked for: TensorFlow comes with it. */
async function trainNetwork(options: NetworkTraining): Promise<TrainedNetwork> {
  const network = await import('../../lib/learning/train/network/network.ts');
  return network.trainNetwork(options);
}

/** Throws `engine_unavailable`, with the line that brings TensorFlow, where it is missing. */
async function requireNetworkTraining(): Promise<void> {
  const { loadForTraining } = await import('../../lib/learning/train/network/tensorflow.ts');
  await loadForTraining();
}
