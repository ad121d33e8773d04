/** Loads a model from disk: its weights, labels and how it wants its images, all of it checked. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { ModelInfo, ModelOutput } from '../../base/classification.ts';
import { VisionscaleError } from '../../base/errors.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import { checkLabels, findLabels } from './labels.ts';
import { defaultManifest, parseManifest, type Manifest } from './manifest.ts';
import { findWeights, invalidModel, readModelFile, readModelText } from './model-files.ts';
import { outputOfGraph } from './output-kind.ts';

/** A model in memory. What only a runtime can tell (its inputs, how many classes) is checked by `openClassifier`. */
export interface LoadedModel {
  info: ModelInfo;
  /** The ONNX file, in shared memory so that every worker thread reads the very bytes that the digest names. */
  weights: Uint8Array;
  preprocessing: Preprocessing;
  output: ModelOutput;
  /** The engines that can run it, where its manifest names them. */
  engines?: readonly string[];
  /** What else its manifest says: where it came from, how good it is. */
  manifest?: Manifest;
}

const MAX_WEIGHTS = 512 * 2 ** 20;
const MAX_TEXT = 16 * 2 ** 20;

/**
 * Loads `path`: an .onnx file, or a directory with `model.onnx` (or exactly one .onnx file). `labels.txt` beside it holds a
 * label a line, `model.json` (optional) the manifest; without one the model is preprocessed as ImageNet networks are.
 * Throws a VisionscaleError: model_not_found, labels_missing, model_invalid.
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const { file, directory } = await locate(resolve(path));
  const manifestText = await readModelText(join(directory, 'model.json'), MAX_TEXT);
  const manifest = manifestText === undefined ? defaultManifest : parseManifest(manifestText);
  const labels =
    manifest.labels === undefined ? await findLabels([directory]) : checkLabels(manifest.labels, 'model.json');
  const weights = await readModelFile(file, MAX_WEIGHTS);
  if (weights === undefined) throw notFound(file);
  const digest = `sha256:${createHash('sha256').update(weights).digest('hex')}`;
  if (manifest.digest !== undefined && manifest.digest !== digest) {
    throw invalidModel(`model.json names ${manifest.digest}, but ${basename(file)} has ${digest}`, {
      hint: 'The weights were damaged or replaced: get the model again, or correct model.json.',
    });
  }
  const { preprocessing, engines, expected, output = outputOf(weights) } = manifest;
  const info = {
    ...nameAndVersion(manifest, file, digest),
    digest,
    labels,
    ...(expected !== undefined && { expected }),
  };
  return { info, weights, preprocessing, output, manifest, ...(engines !== undefined && { engines }) };
}

/** What is no ONNX file, or reaches for others, is refused by whatever engine opens it. */
function outputOf(weights: Uint8Array): ModelOutput {
  try {
    return outputOfGraph(parseOnnx(weights)).output;
  } catch {
    return 'logits';
  }
}

async function locate(path: string): Promise<{ file: string; directory: string }> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw notFound(path);
  if (!found.isDirectory()) return { file: path, directory: dirname(path) };
  return { file: await findWeights(path), directory: path };
}

/** Without a manifest: the file's name (its directory's for `model.onnx`) and the start of the digest. */
function nameAndVersion(manifest: Manifest, file: string, digest: string): { name: string; version: string } {
  const stem = basename(file, '.onnx');
  const name = manifest.name ?? (stem === 'model' ? basename(dirname(file)) : stem);
  const version = manifest.version ?? digest.slice('sha256:'.length, 'sha256:'.length + 12);
  return { name, version };
}

function notFound(path: string): VisionscaleError {
  return new VisionscaleError(`there is no model at ${path}`, {
    code: 'model_not_found',
    hint: 'Give an .onnx file with labels.txt next to it, or a directory with model.onnx and labels.txt.',
  });
}
