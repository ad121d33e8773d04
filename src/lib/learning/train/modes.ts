/** The modes of training: each turns a parent, or nothing, and labelled images into a network. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device, EngineName } from '../../models/classifier/classifier.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { imagenetPreprocessing, type Preprocessing } from '../../models/images/preprocess.ts';
import { headFeatures } from '../../models/onnx/head.ts';
import { withNovelty } from '../../models/onnx/novelty.ts';
import type { OnnxModel } from '../../models/onnx/onnx.ts';
import { buildSqueezeNet11 } from '../../models/onnx/squeezenet.ts';
import type { Example } from '../datasets/dataset.ts';
import type { Row } from '../groups/likeness.ts';
import type { EpochMetrics, TrainEvent } from './events.ts';
import { featureNetwork, zooms } from './features/network.ts';
import { featuresOf, trainHead, viewsOfEach, type HeadEvent } from './head/head.ts';
import type { Calibration } from './head/temperature.ts';
import type { Sets } from './hold-out.ts';
import type { NetworkTraining, TrainedNetwork } from './network/network.ts';
import { fewCalibrated, type NoNovelty, type Novelty } from './novelty/learn.ts';
import { learnNoveltyApart } from './novelty/thread.ts';

export type TrainMode = 'head' | 'scratch';

export type ModeEvent = HeadEvent | TrainEvent;

export interface ModeOptions {
  mode: TrainMode;
  /** Width and height of the network's input in mode `scratch`, in pixels; default 224. */
  inputSize?: number | undefined;
  epochs: number;
  /** Images in a step; default: the recipe's. */
  batchSize?: number | undefined;
  seed: number;
  resume: boolean;
  /** For features and checkpoints. */
  workDir: string;
  engine: EngineName | 'auto';
  device: Device;
  workers?: number | undefined;
  limits: ImageLimits;
  autoOrient: boolean;
  /** Mode `scratch`. */
  trainNetwork: (options: NetworkTraining) => Promise<TrainedNetwork>;
  /** Aborted: the best so far is kept where there is one. */
  signal: AbortSignal;
  onEvent: (event: ModeEvent) => void;
  onNotice: (text: string) => void;
}

/** A network, and how it is to see images. */
export interface Parent {
  graph: OnnxModel;
  preprocessing: Preprocessing;
}

export interface Trained {
  /** With what tells unknown objects, where that could be learned. */
  graph: OnnxModel;
  preprocessing: Preprocessing;
  novelty: Novelty | NoNovelty;
  calibration?: Calibration | undefined;
  /** For the manifest. */
  details: Record<string, unknown>;
  history?: EpochMetrics[];
  /** As `TrainedHead` has it. */
  ungroupedTop1?: number | undefined;
  /** Of cross-validation that keeps similar images together. */
  crossValidatedTop1?: number | undefined;
}

/** Features of images by which like ones are told, as the parent sees them; kept for training. Only in mode `head`. */
export async function describeImages(
  options: ModeOptions,
  examples: readonly Example[],
  parent: Parent,
): Promise<Row[]> {
  const network = featureNetwork(parent.graph);
  const { features } = network;
  const views = viewsOfEach(examples.length, features);
  const cacheDir = featureDirectory(options);
  const { data } = await featuresOf({ ...options, train: examples, parent, cacheDir }, network, views);
  return examples.map((_, i) => data.slice(i * views * features, (i * views + 1) * features));
}

function featureDirectory({ workDir }: Pick<ModeOptions, 'workDir'>): string {
  return join(workDir, 'features');
}

/** `parent` is undefined in mode `scratch`; `checkpoints` is the directory of what an interrupted training leaves. */
export async function trainMode(
  options: ModeOptions,
  sets: Sets,
  parent: Parent | undefined,
  checkpoints: string,
): Promise<Trained> {
  return parent ? headOf(options, sets, parent) : networkOf({ ...options, workDir: checkpoints }, sets);
}

async function headOf(options: ModeOptions, sets: Sets, parent: Parent): Promise<Trained> {
  const made = await trainHead({
    ...options,
    ...sets,
    parent,
    cacheDir: featureDirectory(options),
    // Where images were described before they were divided, their features are on disk, and were told of.
    ...(sets.isDescribed && {
      views: viewsOfEach(sets.train.length + sets.held.length, headFeatures(parent.graph)),
      onEvent: (event) => {
        if (event.kind !== 'features' && event.kind !== 'features-ready') options.onEvent(event);
      },
    }),
  });
  const { graph, preprocessing, novelty, calibration, chosen, ungroupedTop1 } = made;
  const crossValidation = { ...chosen, zoom: zooms[chosen.zoom] };
  return {
    graph,
    preprocessing,
    novelty,
    details: { crossValidation, ...(calibration && { temperature: calibration.temperature }) },
    calibration,
    ungroupedTop1,
    crossValidatedTop1: chosen.top1,
  };
}

async function networkOf(options: ModeOptions, sets: Sets): Promise<Trained> {
  const preprocessing = imagenetAt(options.inputSize);
  const { autoOrient, limits, batchSize } = options;
  const made = await options.trainNetwork({
    ...options,
    ...sets,
    ...(batchSize !== undefined && { recipe: { batchSize } }),
    inputSize: preprocessing.crop,
    preprocessing,
    decode: { autoOrient, limits },
  });
  const { weights, history, bestEpoch, stoppedEarly } = made;
  const details = { epochs: history.length, bestEpoch, stoppedEarly };
  const graph = buildSqueezeNet11(weights, { finalRelu: false, inputSize: preprocessing.crop });
  const novelty = await noveltyOfNetwork(options, sets, { graph, preprocessing });
  const telling = 'layer' in novelty ? withNovelty(graph, novelty.layer) : graph;
  return { graph: telling, novelty, preprocessing, history, details };
}

/**
 * Share of 1 of known objects that may be called unknown. Networks of whole trainings draw the images that they learned from close
 * together: what is foreign is far from them, and little is lost by a threshold that fewer known objects exceed.
 */
const allowedUnknown = 0.005;

/** The network has seen all images to learn from: the threshold is calibrated on the hold-out. */
export async function noveltyOfNetwork(
  options: Omit<ModeOptions, 'mode' | 'trainNetwork' | 'epochs' | 'resume' | 'seed'>,
  { labels, train, held }: Pick<Sets, 'labels' | 'train' | 'held'>,
  parent: Parent,
): Promise<Novelty | NoNovelty> {
  const { signal, workDir } = options;
  if (signal.aborted) return { reason: 'training was interrupted' };
  const examples = [...train, ...held];
  const cacheDir = featureDirectory(options);
  const { data, features } = await featuresOf(
    { ...options, train: examples, parent, cacheDir },
    featureNetwork(parent.graph),
    1,
  );
  await rm(join(workDir, 'features'), { recursive: true, force: true });
  const all = Int32Array.from(examples.keys());
  const [images, judged] = [all.subarray(0, train.length), all.subarray(train.length)];
  const set = {
    data,
    features,
    views: 1,
    labels: Int32Array.from(examples, ({ label }) => label),
    classes: labels.length,
  };
  const folds = [{ images, held: judged }];
  return await learnNoveltyApart({ set, view: 0, images, folds, allowed: allowedUnknown }, signal);
}

/** What to say of a model that does not tell unknown objects, or not for sure; undefined where all is well. */
export function noveltyNotice(novelty: Novelty | NoNovelty): string | undefined {
  if ('reason' in novelty) return `unknown objects will not be noticed: ${novelty.reason}`;
  const { images } = novelty.calibration;
  if (images >= fewCalibrated) return undefined;
  return `what counts as unknown rests on ${images} images: the threshold is rough (${fewCalibrated} or more are better)`;
}

/** ImageNet's, in proportion to the size wanted. */
function imagenetAt(side: number = imagenetPreprocessing.crop): Preprocessing {
  const { resize, crop } = imagenetPreprocessing;
  return { ...imagenetPreprocessing, resize: Math.round((side * resize) / crop), crop: side };
}
