/** Head mode: the features of a network once, a regularised classifier of them, written as that network's last layer. */
import { createHash } from 'node:crypto';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import type { Device, EngineName } from '../../../models/classifier/classifier.ts';
import type { ImageLimits } from '../../../models/images/limits.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import { type LinearLayer, withHead } from '../../../models/onnx/head.ts';
import { withNovelty } from '../../../models/onnx/novelty.ts';
import type { OnnxModel } from '../../../models/onnx/onnx.ts';
import type { Example } from '../../datasets/dataset.ts';
import { openExtractor, type Extractor } from '../features/extractor.ts';
import { openFeatureCache, computeFeatures, type Features } from '../features/features.ts';
import { type FeatureNetwork, featureNetwork, zoomed, zooms } from '../features/network.ts';
import type { NoNovelty, Novelty } from '../novelty/learn.ts';
import { learnNoveltyApart } from '../novelty/thread.ts';
import { crossValidate, viewsOf, type CrossValidation } from './cross-validate.ts';
import type { Head, ViewedFeatures } from './fit.ts';
import { openFitters, type Fitters } from './fitters.ts';
import { calibrate, type Calibration, cooled, scoresOf } from './temperature.ts';

export interface HeadTraining {
  labels: readonly string[];
  /** Every class has some. */
  train: readonly Example[];
  /** Not learned from: confidences and what counts as unknown are calibrated on them. */
  held: readonly Example[];
  parent: { graph: OnnxModel; preprocessing: Preprocessing };
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
  /** The parent with the new head, and where that is possible with what tells unknown objects. */
  graph: OnnxModel;
  novelty: Novelty | NoNovelty;
  /** By which the head's scores were divided; undefined where the hold-out has too few images. */
  calibration?: Calibration | undefined;
  /** How it is to see images: the parent's way, perhaps nearer. */
  preprocessing: Preprocessing;
  head: Head;
  chosen: CrossValidation['chosen'];
  tried: CrossValidation['tried'];
  /** Share of 1 that is right where images are dealt out singly, so that similar ones are on both sides. */
  ungroupedTop1?: number;
}

/** Features take 1 GiB at the most: of SqueezeNet's 512, beyond 65,000 images there is one zoom, beyond 260,000 no mirror image. */
const maxValues = 2 ** 28;

/** How many views of each of so many images there is room for. */
export function viewsOfEach(images: number, features: number): number {
  const room = maxValues / features / images;
  return room >= 2 * zooms.length ? 2 * zooms.length : room >= 2 ? 2 : 1;
}

/** Throws when aborted, at once and whatever there is; what the engines and the images throw. */
export async function trainHead(options: HeadTraining): Promise<TrainedHead> {
  const { labels, train, parent, signal, onEvent } = options;
  const network = featureNetwork(parent.graph);
  const views = options.views ?? viewsOfEach(train.length, network.features);
  const { data, features } = await featuresOf(options, network, views);
  const set = {
    data,
    features,
    views,
    labels: Int32Array.from(train, ({ label }) => label),
    classes: labels.length,
  };
  const began = performance.now();
  await using fitters = openFitters(options.workers ?? usableCores(), signal);
  const { chosen, tried, start, folds } = await crossValidate(set, {
    zooms: Math.ceil(views / 2),
    flips: views > 1,
    fitters,
    onProgress: (done, total) => onEvent({ kind: 'fit', done, total }),
  });
  const images = Int32Array.from(train.keys());
  const view = viewsOf(chosen)[0]!;
  const heldOut = await heldOutSet(options, network, set);
  async function fitAll() {
    const { head } = await fitters.fit({
      set,
      images,
      held: new Int32Array(0),
      views: viewsOf(chosen),
      penalty: chosen.penalty,
      start,
      leastGain: 1e-4,
      maxIterations: 200,
    });
    onEvent({ kind: 'chosen', trial: chosen, tried, seconds: (performance.now() - began) / 1000 });
    return { head, ungroupedTop1: await judgeUngrouped(set, chosen, train, fitters) };
  }
  const unseen = folds.map(({ images, held }) => ({ images, held }));
  const [fitted, novelty] = await Promise.all([
    fitAll(),
    learnNoveltyApart(
      { set, view, images, folds: unseen, heldOut, isScaled: true, allowed: allowedUnknown },
      signal,
    ),
  ]);
  signal.throwIfAborted();
  const { ungroupedTop1 } = fitted;
  const calibration = heldOut && calibrate(scoresOf(fitted.head, heldOut, view));
  const head = cooled(fitted.head, calibration?.temperature ?? 1);
  const trained = withHead(parent.graph, layerOf(head));
  return {
    graph: 'layer' in novelty ? withNovelty(trained, novelty.layer) : trained,
    novelty,
    calibration,
    preprocessing: zoomed(parent.preprocessing, chosen.zoom),
    head,
    chosen,
    tried,
    ...(ungroupedTop1 !== undefined && { ungroupedTop1 }),
  };
}

/** Features of the hold-out; undefined without one. */
async function heldOutSet(
  options: HeadTraining,
  network: FeatureNetwork,
  { views, classes }: ViewedFeatures,
): Promise<ViewedFeatures | undefined> {
  const { held } = options;
  if (held.length === 0) return undefined;
  const { data, features } = await featuresOf({ ...options, train: held }, network, views);
  return { data, features, views, labels: Int32Array.from(held, ({ label }) => label), classes };
}

/** Share of 1 of known objects that may be called unknown. */
const allowedUnknown = 0.02;

/** Fewer images tell nothing. */
const leastUngrouped = 50;

/** What accuracy would be told if similar images were on both sides: a fifth of the images, each drawn for itself. */
async function judgeUngrouped(
  set: ViewedFeatures,
  chosen: CrossValidation['chosen'],
  train: readonly Example[],
  fitters: Fitters,
): Promise<number | undefined> {
  if (train.length < leastUngrouped) return undefined;
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
  return fitness?.top1;
}

/** Throws as `trainHead` does. */
export async function featuresOf(
  options: Omit<HeadTraining, 'labels' | 'held'>,
  network: FeatureNetwork,
  views: number,
): Promise<Features> {
  const { parent, train, cacheDir, signal, limits, onEvent } = options;
  const { preprocessing } = parent;
  const { features } = network;
  // Not the parent's digest: a head trained from a head shares its features.
  const digest = createHash('sha256').update(network.weights).digest('hex');
  let opening: Promise<Extractor> | undefined;
  const extractor = () => (opening ??= openExtractor({ ...options, preprocessing, network }));
  const began = performance.now();
  try {
    const found = await computeFeatures(train, {
      views,
      features,
      maxBytes: limits.maxBytes,
      cache: openFeatureCache(cacheDir, {
        network: digest,
        features,
        preprocessing,
        autoOrient: options.autoOrient,
      }),
      extractor,
      inFlight: 2 * (options.workers ?? usableCores()) + 2,
      signal,
      onProgress: (done) => onEvent({ kind: 'features', done, total: train.length }),
    });
    const seconds = (performance.now() - began) / 1000;
    onEvent({ kind: 'features-ready', images: train.length, views, cached: found.cached, seconds });
    return found;
  } finally {
    await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

export function layerOf({ classes, features, values }: Head): LinearLayer {
  return {
    classes,
    features,
    weight: Float32Array.from(values.subarray(0, classes * features)),
    bias: Float32Array.from(values.subarray(classes * features)),
  };
}
