/** Adds a model to the store: an ONNX file, a model directory or the .pth of a SqueezeNet, checked before it is in. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { ModelOutput } from '../../base/classification.ts';
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { withDataBeside } from '../format/data-beside.ts';
import { checkLabels, findLabels, readLabels, repeatedLabels } from '../format/labels.ts';
import { defaultManifest, leastSide, mostSide, parseManifest, type Manifest } from '../format/manifest.ts';
import { findWeights, invalidModel, readModelFile, readModelText } from '../format/model-files.ts';
import { decideOutput } from '../format/output-kind.ts';
import { type Preset, presets, type Published, publishedPreprocessing } from '../format/published.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Interpolation } from '../images/resize.ts';
import { makeNode, type OnnxModel, tensorType } from '../onnx/graph.ts';
import { type ImageInput, oneForm } from '../onnx/one-form.ts';
import { serializeOnnx } from '../onnx/onnx.ts';
import { isPth, pthToOnnx } from '../pth/read.ts';
import { checkGraph, checkInference, type InferenceCheck } from './check.ts';
import { checkModelName } from './entry.ts';
import type { ModelEntry, ModelStore } from './store.ts';

export interface AddModelOptions {
  name?: string;
  version?: string;
  /** Path of the labels; by default of what is beside the weights. */
  labels?: string;
  /** Side of the network's input in pixels; by default what the graph says. `crop` is the same by another name. */
  size?: number;
  crop?: number;
  resize?: number;
  mean?: readonly [number, number, number];
  std?: readonly [number, number, number];
  interpolation?: Interpolation;
  /** Mean and deviation by name. */
  preset?: Preset;
  /** The network wants its channels in the order blue, green, red; mean and deviation stay in that of red, green, blue. */
  bgr?: boolean;
  /** By default what a test inference shows. */
  output?: ModelOutput;
  /** Where it came from; by default the file's name. */
  source?: string;
}

export interface AddResult {
  entry: ModelEntry;
  check: InferenceCheck & { output: ModelOutput };
  /** What was added to the graph for its images and scores to have the form that engines take, in words. */
  added: readonly string[];
  /** Why images come with values from 0 to 255, where nobody said so. */
  scaling?: string;
  /** What a person should know before using it. */
  warnings: string[];
}

const maxWeights = 512 * 2 ** 20;
const maxManifest = 16 * 2 ** 20;

/** Throws a VisionscaleError that names what does not fit: `model_invalid`, `model_unsafe`, `labels_mismatch`, … */
export async function addModel(store: ModelStore, path: string, options: AddModelOptions): Promise<AddResult> {
  const { file, directory } = await locate(path);
  const bytes = await readModelFile(file, maxWeights);
  if (bytes === undefined) throw noSuchModel(path);
  const isState = isPth(bytes);
  const own = isState ? pthToOnnx(bytes) : bytes;
  const beside = await manifestBeside(directory, own);
  const weights = isState ? own : await withDataBeside(own, directory, maxWeights);
  // Those who publish models put the weights into a folder `onnx` below the rest.
  const published = basename(directory) === 'onnx' ? dirname(directory) : directory;
  if (beside.preprocessing === undefined && !saysAll(options))
    beside.preprocessing = await publishedPreprocessing(published);
  const { model: given, input } = checkGraph(weights);
  const { preprocessing, reason: scaling } = preprocessingOf(options, beside, input);
  const { model, added } = oneForm(given, input, isBlueFirst(options, beside));
  const labels = await labelsOf(options, beside, [directory, published]);
  const formed = added.length === 0 ? weights : serializeOnnx(model);
  const check = await checkInference(formed, preprocessing.crop);
  if (check.classes !== labels.length) {
    throw new VisionscaleError(
      `the model has ${check.classes} classes, but there are ${labels.length} labels`,
      {
        code: 'labels_mismatch',
        hint: 'There must be one label for each output of the model, in the same order: --labels <file>',
      },
    );
  }
  const said = options.output ?? beside.output;
  const by = options.output === undefined ? 'model.json' : '--output';
  const decided = decideOutput(model, check.answers, said === undefined ? undefined : { output: said, by });
  const { output, reason, warning, lacksSigmoid } = decided;
  const manifest = {
    ...beside.kept,
    name: checkModelName(options.name ?? beside.kept.name ?? stem(file), 'name'),
    ...((options.version ?? beside.kept.version) !== undefined && {
      version: options.version ?? beside.kept.version!,
    }),
    preprocessing,
    output,
    outputReason: reason,
    source: options.source ?? (isState || added.length > 0 || weights !== own
      ? `${basename(file)} sha256:${createHash('sha256').update(bytes).digest('hex')}`
      : basename(file)),
  };
  const installed = lacksSigmoid ? serializeOnnx(withSigmoid(model)) : formed;
  const entry = await store.install({ manifest, weights: installed, labels });
  const warnings = [...(warning === undefined ? [] : [warning]), ...repeated(labels)];
  return { entry, check: { ...check, output }, added, ...(scaling !== undefined && { scaling }), warnings };
}

async function labelsOf(
  options: AddModelOptions,
  beside: Beside,
  directories: readonly [string, string],
): Promise<string[]> {
  if (options.labels !== undefined) return readLabels(options.labels);
  return beside.labels === undefined ? findLabels(directories) : checkLabels(beside.labels, 'model.json');
}

/** Whether flags leave nothing for a file to say. */
function saysAll({ size, crop, resize, mean, std, preset, interpolation }: AddModelOptions): boolean {
  const isScaled = (mean !== undefined && std !== undefined) || preset !== undefined;
  return (size ?? crop) !== undefined && resize !== undefined && isScaled && interpolation !== undefined;
}

/** ImageNet's own lists have such: no reason to refuse them. */
function repeated(labels: readonly string[]): string[] {
  const found = repeatedLabels(labels);
  if (found.length === 0) return [];
  const shown = found.slice(0, 5).map((label) => JSON.stringify(label));
  return [`several classes have the label ${shown.join(', ')}${found.length > 5 ? ', …' : ''}`];
}

/** The graph ends one operator later. */
function withSigmoid(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const [scores, ...others] = graph.output;
  const name = `${scores!.name ?? ''}.sigmoid`;
  const node = [...graph.node, makeNode('Sigmoid', [scores!.name ?? ''], [name])];
  return { ...model, graph: { ...graph, node, output: [{ ...scores, name }, ...others] } };
}

async function locate(given: string): Promise<{ file: string; directory: string }> {
  const path = resolve(given);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw noSuchModel(given);
  if (found.isDirectory()) return { file: await findWeights(path), directory: path };
  return { file: path, directory: dirname(path) };
}

interface Beside {
  labels?: string[];
  output?: ModelOutput;
  preprocessing?: Published | undefined;
  /** What is taken over as it is. */
  kept: Partial<Pick<Manifest, 'name' | 'version' | 'created' | 'parent' | 'metrics' | 'engines' | 'knows'>>;
}

/** The model.json beside the weights counts only where it says that it is about these. */
async function manifestBeside(directory: string, weights: Uint8Array): Promise<Beside> {
  const text = await readModelText(join(directory, 'model.json'), maxManifest);
  if (text === undefined) return { kept: {} };
  const manifest = parseManifest(text);
  const digest = `sha256:${createHash('sha256').update(weights).digest('hex')}`;
  if (manifest.digest !== undefined && manifest.digest !== digest) {
    throw invalidModel(`model.json names ${manifest.digest}, but the weights have ${digest}`, {
      hint: 'The weights were damaged or replaced: get the model again, or correct or remove model.json.',
    });
  }
  const said = JSON.parse(text) as Record<string, unknown>;
  const { labels, output, preprocessing, name, version, created, parent, metrics, engines, knows } = manifest;
  const kept = Object.entries({ name, version, created, parent, metrics, engines, knows }).filter(
    ([, v]) => v !== undefined,
  );
  return {
    kept: Object.fromEntries(kept),
    ...(labels !== undefined && { labels }),
    ...(output !== undefined && { output }),
    ...('preprocessing' in said && { preprocessing }),
  };
}

/** Flags over model.json, or what its publisher wrote, over the graph over what holds for ImageNet's networks. Throws a UsageError. */
function preprocessingOf(
  options: AddModelOptions,
  beside: Beside,
  { side, type, pixels }: ImageInput,
): { preprocessing: Preprocessing; reason?: string } {
  const { size, crop } = options;
  if (size !== undefined && crop !== undefined && size !== crop) {
    throw new UsageError(
      `--size ${size} and --crop ${crop} differ`,
      'The crop is what the network sees: give only one of them.',
    );
  }
  const said = beside.preprocessing;
  const base = said ?? defaultManifest.preprocessing;
  const input = size ?? crop ?? said?.crop ?? side;
  if (input === undefined) {
    throw new UsageError(
      'the network takes images of any size, and nothing says which it was trained with',
      'Give the side of its input in pixels: --size 224.',
    );
  }
  if (side !== undefined && side !== input) {
    throw invalidModel(`the network takes images of ${side}×${side} pixels, not ${input}×${input}`, {
      hint: `Leave --size out, or use --size ${side}.`,
    });
  }
  if (input < leastSide || input > mostSide) {
    throw new UsageError(
      `the network cannot be given images of ${input}×${input} pixels`,
      `Sides of ${leastSide} to ${mostSide} pixels are possible.`,
    );
  }
  // As ImageNet's 256 is to 224.
  const proportional = input === base.crop ? base.resize : Math.min(Math.round((input * base.resize) / base.crop), mostSide);
  const resize = options.resize ?? proportional;
  if (resize < input) {
    throw new UsageError(
      `--resize ${resize} is less than the crop of ${input}`,
      'The crop is cut from the resized image.',
    );
  }
  if (resize > mostSide) {
    throw new UsageError(`--resize ${resize} is more than ${mostSide} pixels`, 'Images are not resized beyond that.');
  }
  const named = options.preset === undefined ? undefined : presets[options.preset];
  const isSilent = options.mean === undefined && options.std === undefined && (named ?? said) === undefined;
  const scale = named ?? (isSilent && pixels !== undefined ? presets.pixels : base);
  const { mean, std } = { mean: options.mean ?? scale.mean, std: options.std ?? scale.std };
  if (type === tensorType.uint8 && !presets.pixels.mean.every((value, i) => value === mean[i] && std[i] === presets.pixels.std[i])) {
    throw new UsageError(
      `the network takes uint8, but its images are to be normalised: mean ${mean.join(' ')}, std ${std.join(' ')}`,
      'A network that takes uint8 normalises by itself: --preset pixels.',
    );
  }
  const interpolation = options.interpolation ?? base.interpolation;
  return {
    preprocessing: {
      resize,
      crop: input,
      mean,
      std,
      ...(interpolation !== undefined && { interpolation }),
      ...(base.squash && { squash: true }),
      ...(base.cropOffset !== undefined && { cropOffset: base.cropOffset }),
    },
    ...(isSilent && pixels !== undefined && { reason: pixels }),
  };
}

function isBlueFirst({ bgr, preset }: AddModelOptions, { preprocessing }: Beside): boolean {
  return bgr ?? (preset === 'caffe' || (preset === undefined && preprocessing?.blueFirst === true));
}

/** `net` for net.onnx, the directory's name for model.onnx; what a name cannot have becomes `-`. */
function stem(file: string): string {
  const own = basename(file, extname(file));
  const text = own === 'model' ? basename(dirname(file)) : own;
  return (
    text
      .replaceAll(/[^\w.-]+/g, '-')
      .replaceAll(/^[._-]+|[.]+$/g, '')
      .slice(0, 100) || 'model'
  );
}

function noSuchModel(path: string): VisionscaleError {
  return new VisionscaleError(`there is no model at ${path}`, {
    code: 'model_not_found',
    hint: 'Give an .onnx file, a directory with model.onnx and labels.txt, or a .pth file of squeezenet1_1 or squeezenet1_0.',
  });
}
