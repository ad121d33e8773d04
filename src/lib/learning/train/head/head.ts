/** Head mode: SqueezeNet's features once, a regularised classifier of them, written as an ordinary SqueezeNet. */
import { createHash } from 'node:crypto';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import type { Device, EngineName } from '../../../models/classifier/classifier.ts';
import type { ImageLimits } from '../../../models/images/limits.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import type { SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';
import type { Example } from '../../datasets/dataset.ts';
import { openExtractor, type Extractor } from '../features/extractor.ts';
import { openFeatureCache, computeFeatures, type Features } from '../features/features.ts';
import { featureCount, featureNetwork, zoomed, zooms } from '../features/network.ts';
import { crossValidate, viewsOf, type CrossValidation } from './cross-validate.ts';
import type { Head, ViewedFeatures } from './fit.ts';
import { openFitters, type Fitters } from './fitters.ts';

export interface HeadTraining {
  labels: readonly string[];
  /** Every class has some. */
  train: readonly Example[];
  parent: { weights: SqueezeNetWeights; preprocessing: Preprocessing };
  engine: EngineName | 'auto';
  device: Device;
  workers?: number | undefined;
  limits: ImageLimits;
  autoOrient: boolean;
  /** Directory of the features on disk. */
  cacheDir: string;
  /** Of each image; default: as many as there is room for. */
  views?: number | undefined;
  signal: AbortSignal;
  onEvent: (event: HeadEvent) => void;
  onNotice: (text: string) => void;
}

export type HeadEvent =
  /** Features of so many images are there; `cached` of them were on disk. */
  | { kind: 'features'; done: number; total: number }
  | { kind: 'features-ready'; images: number; views: number; cached: number; seconds: number }
  | { kind: 'fit'; done: number; total: number }
  | { kind: 'chosen'; trial: CrossValidation['chosen']; tried: CrossValidation['tried']; seconds: number };

export interface TrainedHead {
  /** Of the whole network; without the ReLU behind its last convolution. */
  weights: SqueezeNetWeights;
  /** How it is to see images: the parent's way, perhaps nearer. */
  preprocessing: Preprocessing;
  head: Head;
  chosen: CrossValidation['chosen'];
  tried: CrossValidation['tried'];
  /** Share of 1 that is right where images are dealt out singly, so that similar ones are on both sides. */
  ungroupedTop1?: number;
}

/** Features take 1 GiB at the most: beyond 65,000 images there is one zoom, beyond 260,000 no mirror image. */
const maxRows = 2 ** 28 / featureCount;

/** How many views of each of so many images there is room for. */
export function viewsOfEach(images: number): number {
  const room = maxRows / images;
  return room >= 2 * zooms.length ? 2 * zooms.length : room >= 2 ? 2 : 1;
}

/** Throws the signal's reason when aborted before there is a head; what the engines and the images throw. */
export async function trainHead(options: HeadTraining): Promise<TrainedHead> {
  const { labels, train, parent, signal, onEvent } = options;
  const views = options.views ?? viewsOfEach(train.length);
  const features = await featuresOf(options, views);
  const set = {
    data: features.data,
    features: featureCount,
    views,
    labels: Int32Array.from(train, ({ label }) => label),
    classes: labels.length,
  };
  const began = performance.now();
  await using fitters = openFitters(options.workers ?? usableCores(), signal);
  const { chosen, tried, start } = await crossValidate(set, {
    zooms: Math.ceil(views / 2),
    flips: views > 1,
    fitters,
    signal,
    onProgress: (done, total) => onEvent({ kind: 'fit', done, total }),
  });
  const { head } = await fitters.fit({
    set,
    images: Int32Array.from(train.keys()),
    held: new Int32Array(0),
    views: viewsOf(chosen),
    penalty: chosen.penalty,
    start,
    leastGain: 1e-4,
    maxIterations: 200,
  });
  onEvent({ kind: 'chosen', trial: chosen, tried, seconds: (performance.now() - began) / 1000 });
  const ungroupedTop1 = await judgeUngrouped(set, chosen, train, fitters, signal);
  const preprocessing = zoomed(parent.preprocessing, chosen.zoom);
  const made = { weights: withHead(parent.weights, head), preprocessing, head, chosen, tried };
  return { ...made, ...(ungroupedTop1 !== undefined && { ungroupedTop1 }) };
}

/** Fewer images tell nothing. */
const leastUngrouped = 50;

/** What accuracy would be told if similar images were on both sides: a fifth of the images, each drawn for itself. */
async function judgeUngrouped(
  set: ViewedFeatures,
  chosen: CrossValidation['chosen'],
  train: readonly Example[],
  fitters: Fitters,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (train.length < leastUngrouped || signal.aborted) return undefined;
  // A digest's order is as good as chance.
  const order = [...train.keys()].sort((a, b) => (train[a]!.sha256 < train[b]!.sha256 ? -1 : 1));
  const size = Math.floor(train.length / 5);
  const images = Int32Array.from(order.slice(size)).sort();
  const { fitness } = await fitters.fit({
    set,
    images,
    held: Int32Array.from(order.slice(0, size)).sort(),
    views: [viewsOf(chosen)[0]!],
    penalty: chosen.penalty,
    start: undefined,
    leastGain: 1e-3,
    maxIterations: 60,
  });
  return signal.aborted ? undefined : fitness?.top1;
}

/** Throws as `trainHead` does. */
export async function featuresOf(options: Omit<HeadTraining, 'labels'>, views: number): Promise<Features> {
  const { parent, train, cacheDir, signal, limits, onEvent } = options;
  const { preprocessing } = parent;
  const weights = featureNetwork(parent.weights, preprocessing.crop);
  // Not the parent's digest: a head trained from a head shares its features.
  const network = createHash('sha256').update(weights).digest('hex');
  let opening: Promise<Extractor> | undefined;
  const extractor = () => (opening ??= openExtractor({ ...options, preprocessing, weights }));
  const began = performance.now();
  try {
    const features = await computeFeatures(train, {
      views,
      maxBytes: limits.maxBytes,
      cache: openFeatureCache(cacheDir, { network, preprocessing, autoOrient: options.autoOrient }),
      extractor,
      inFlight: 2 * (options.workers ?? usableCores()) + 2,
      signal,
      onProgress: (done) => onEvent({ kind: 'features', done, total: train.length }),
    });
    const seconds = (performance.now() - began) / 1000;
    onEvent({ kind: 'features-ready', images: train.length, views, cached: features.cached, seconds });
    return features;
  } finally {
    await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

/** The head as the network's last convolution. */
export function withHead(parent: SqueezeNetWeights, { classes, features, values }: Head): SqueezeNetWeights {
  const weights: SqueezeNetWeights = new Map(parent);
  const [data, bias] = [values.subarray(0, classes * features), values.subarray(classes * features)];
  weights.set('classifier.1.weight', { dims: [classes, features, 1, 1], data: Float32Array.from(data) });
  weights.set('classifier.1.bias', { dims: [classes], data: Float32Array.from(bias) });
  return weights;
}
