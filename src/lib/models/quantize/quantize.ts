/** Static int8 quantisation after training: ranges from images, weights per channel, the result measured against its parent. */
import { readFile } from 'node:fs/promises';
import { UsageError } from '../../base/errors.ts';
import type { FoundFile, Rejection } from '../../base/files/walk.ts';
import { engines } from '../classifier/engines/engines.ts';
import { tryModel } from '../classifier/trial.ts';
import { invalidModel } from '../format/model-files.ts';
import type { LoadedModel } from '../format/model.ts';
import { openImagesApart } from '../images/apart.ts';
import type { ImageLimits } from '../images/limits.ts';
import { parseOnnx, serializeOnnx } from '../onnx/onnx.ts';
import { calibrate } from './calibrate.ts';
import { compareAnswers, compareSpeed, type ParentComparison, type Speed } from './compare.ts';
import { foldGraph } from './fold.ts';
import { listImages, openInputs, spread, type Input } from './images.ts';
import { activationParameters, type Affine } from './parameters.ts';
import { planQuantization, refuseComposed } from './plan.ts';
import { rewriteQuantized } from './rewrite.ts';

export interface QuantizeOptions {
  /** A directory of images like those to be classified. Half of them (at most 200) calibrate, the others compare. */
  images: string;
  /** Most images to take from it, evenly spread. */
  limit?: number;
  /** A directory with a folder of images for each label, named as the label: to judge on truth, not on the parent. */
  labelled?: string;
  /** Weights of 7 bits. By default where this CPU lacks VNNI. */
  reduceRange?: boolean;
  limits: ImageLimits;
  autoOrient: boolean;
}

export interface Quantized {
  /** The ONNX file. */
  weights: Uint8Array;
  /** Images that the ranges come from. */
  calibrated: number;
  /** On the images that did not calibrate. */
  comparison: ParentComparison;
  /** On the labelled images that did not calibrate. */
  labelled?: ParentComparison;
  milliseconds: Speed;
  reduceRange: boolean;
  rejected: Rejection[];
}

export type QuantizeEvent =
  { type: 'calibrating' | 'comparing' | 'judging'; images: number } | { type: 'image' };

const calibrationImages = 200;

/** Throws a VisionscaleError: `model_invalid`, `engine_unavailable`, a UsageError; the signal's reason when aborted. */
export async function quantize(
  model: LoadedModel,
  options: QuantizeOptions,
  report: (event: QuantizeEvent) => void,
  signal: AbortSignal,
): Promise<Quantized> {
  const side = model.preprocessing.crop;
  // The parent is opened in this very process.
  await tryModel({ weights: model.weights, engines: ['onnx'], side, inputs: 'two' });
  await using parent = await engines.onnx.open(model.weights, { side });
  checkQuantizable(model.weights);
  const graph = await foldGraph(model.weights);
  const plan = planQuantization(graph.graph);
  if (plan.weighted.length === 0) {
    throw invalidModel('the model has no convolution or matrix product with constant float32 weights', {
      hint: 'It has nothing to quantise.',
    });
  }
  const { calibration, comparison, labelled } = await chooseImages(model, options, signal);
  const rejected: Rejection[] = [];
  await using looking = openImagesApart(options.limits);
  const prepare = (bytes: Uint8Array) => looking.input(bytes, model.preprocessing, options.autoOrient);
  async function* inputs(
    type: 'calibrating' | 'comparing' | 'judging',
    files: readonly FoundFile[],
  ): AsyncGenerator<Input> {
    report({ type, images: files.length });
    const { limits } = options;
    for await (const input of openInputs(files, {
      prepare,
      limits,
      signal,
      onRejected: (r) => rejected.push(r),
    })) {
      yield input;
      report({ type: 'image' });
    }
  }

  let sample: Float32Array | undefined;
  async function* calibrating(): AsyncGenerator<Float32Array> {
    for await (const { input } of inputs('calibrating', calibration)) yield (sample = input);
  }
  const { ranges, means, images: calibrated } = await calibrate(graph, plan, side, calibrating());
  if (sample === undefined) throw new UsageError(`none of the files in ${options.images} is an image`);
  const activations = new Map<string, Affine>();
  for (const [i, group] of plan.groups.entries()) {
    for (const tensor of group) activations.set(tensor, activationParameters(ranges[i]!));
  }
  const reduceRange = options.reduceRange ?? (await needsReducedRange());
  const weights = serializeOnnx(
    rewriteQuantized(graph, { weighted: plan.weighted, activations, means, reduceRange }),
  );

  await using quantized = await engines.onnx.open(weights, { side });
  const result: Quantized = {
    weights,
    calibrated,
    comparison: await compareAnswers(parent, quantized, inputs('comparing', comparison)),
    milliseconds: await compareSpeed(parent, quantized, sample),
    reduceRange,
    rejected,
  };
  if (result.comparison.images === 0)
    throw new UsageError(`too few of the files in ${options.images} are images`);
  if (labelled !== undefined) {
    const labelOf = ({ file }: Input) => labelled.labelOf(file);
    result.labelled = await compareAnswers(parent, quantized, inputs('judging', labelled.files), labelOf);
  }
  return result;
}

/** Throws `model_invalid`. */
function checkQuantizable(weights: Uint8Array): void {
  const { graph, opsetImport } = parseOnnx(weights);
  const opset = opsetImport.find(({ domain }) => !domain || domain === 'ai.onnx')?.version ?? 0;
  if (opset < 13) {
    throw invalidModel(`the model is of opset ${opset}; scales per channel need opset 13`, {
      hint: 'Export it again with opset 13 or later.',
    });
  }
  if (graph.node.some(({ opType }) => opType === 'DequantizeLinear' || opType === 'QuantizeLinear')) {
    throw invalidModel('the model is quantised already', { hint: 'Use the model it was made from.' });
  }
  refuseComposed(graph);
}

interface ChosenImages {
  calibration: FoundFile[];
  /** None of them calibrates. */
  comparison: FoundFile[];
  labelled?: { files: FoundFile[]; labelOf: (file: FoundFile) => number };
}

async function chooseImages(
  { info }: LoadedModel,
  { images, limit, labelled }: QuantizeOptions,
  signal: AbortSignal,
): Promise<ChosenImages> {
  const files = await listImages(images, limit, signal);
  if (files.length < 2) {
    throw new UsageError(
      'quantising needs at least two images: some to calibrate, others to compare',
      '--images <dir>',
    );
  }
  const calibration = spread(files, Math.min(calibrationImages, Math.floor(files.length / 2)));
  const calibrating = new Set(calibration.map(({ file }) => file));
  const apart = (found: readonly FoundFile[]) => found.filter(({ file }) => !calibrating.has(file));
  const chosen = { calibration, comparison: apart(files) };
  if (labelled === undefined) return chosen;
  const known = apart(await listImages(labelled, undefined, signal));
  return { ...chosen, labelled: { files: known, labelOf: labelIndex(known, info.labels) } };
}

/** Throws a UsageError when a file lies in no folder that is named as a label. */
function labelIndex(
  files: readonly FoundFile[],
  labels: readonly string[],
): (file: FoundFile) => number {
  const indexes = new Map(labels.map((label, index) => [label.normalize(), index]));
  const folderOf = ({ relative }: FoundFile) => relative.split('/').slice(0, -1)[0]?.normalize() ?? '';
  const foreign = new Set(files.map(folderOf).filter((folder) => !indexes.has(folder)));
  if (foreign.size > 0) {
    const [first = ''] = foreign;
    const others = foreign.size > 1 ? ` and ${foreign.size - 1} more` : '';
    throw new UsageError(
      first === ''
        ? 'the labelled images must lie in folders, one for each label'
        : `the folder ${first}${others} is not named after a label of the model`,
      `The model’s labels are ${labels.slice(0, 3).join(', ')}, …`,
    );
  }
  return (file) => indexes.get(folderOf(file))!;
}

/**
 * Without VNNI, x64 adds two products of uint8 and int8 in 16 bits, which overflow with 8-bit weights: wrong scores, no
 * error. Where the CPU cannot be asked, x64 is taken to be without.
 */
export async function needsReducedRange(
  arch: string = process.arch,
  cpuinfo = '/proc/cpuinfo',
): Promise<boolean> {
  if (arch !== 'x64') return false;
  const text = await readFile(cpuinfo, 'utf8').catch(() => '');
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  return !flags.some((flag) => flag === 'avx512_vnni' || flag === 'avx_vnni');
}
