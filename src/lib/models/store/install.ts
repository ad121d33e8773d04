/** Puts a model into the store in one step: it is written beside its place, and renamed when it is whole. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { VisionscaleError } from '../../base/errors.ts';
import { explainedDiskError, syncDirectory, writeSynced } from '../../base/files/disk.ts';
import { makeDirectory } from '../../base/files/make-directory.ts';
import { parseManifest, type Manifest } from '../format/manifest.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { entryLabel, readEntry, type ModelEntry, checkModelName } from './entry.ts';
import { isRunning } from './processes.ts';

/** What install completes: digest, input size and creation time; labels go into labels.txt. */
export type NewManifest = Omit<Partial<Manifest>, 'labels' | 'digest' | 'inputSize' | 'preprocessing'> & {
  name: string;
  preprocessing: Preprocessing;
};

export interface NewModel {
  manifest: NewManifest;
  /** The ONNX file. */
  weights: Uint8Array;
  /** One a class, in the order of the outputs; none with a line break. */
  labels: readonly string[];
}

const temporary = /^\.installing-(\d+)-[0-9a-f]+$/;
/** A process id is used again some day: what is older than this belongs to nobody, in milliseconds. */
const abandonedAfter = 24 * 3600_000;

/** Installing the same model again changes nothing. Throws VisionscaleError: `model_exists`, `disk_full`, … */
export async function installModel(store: string, model: NewModel): Promise<ModelEntry> {
  const manifest = completed(model);
  const { name, version } = manifest;
  const place = join(store, name, version);
  const existing = await installed(place, manifest, model.labels);
  if (existing !== undefined) return existing;
  const directory = join(store, `.installing-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await makeDirectory(join(store, name));
    await sweep(store);
    await mkdir(directory);
    await writeSynced(join(directory, 'model.onnx'), model.weights);
    await writeSynced(join(directory, 'labels.txt'), labelsText(model.labels));
    await writeSynced(join(directory, 'model.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
    await syncDirectory(directory);
    await rename(directory, place);
    await syncDirectory(join(store, name));
  } catch (error) {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    // Somebody else may have installed it meanwhile.
    const other = await installed(place, manifest, model.labels).catch(() => undefined);
    if (other !== undefined) return other;
    throw explainedDiskError(error, store);
  }
  return (await readEntry(place, { name, version, bundled: false }))!;
}

type Completed = Manifest & { name: string; version: string };

function completed({ manifest, weights, labels }: NewModel): Completed {
  const digest = `sha256:${createHash('sha256').update(weights).digest('hex')}`;
  const { name, version = digest.slice('sha256:'.length, 'sha256:'.length + 12), ...rest } = manifest;
  checkModelName(name, 'name');
  checkModelName(version, 'version');
  if (labels.some((label) => /[\r\n]/.test(label))) {
    throw new VisionscaleError('a label has a line break', {
      code: 'model_invalid',
      hint: 'Write each on one line.',
    });
  }
  // Through the parser, so that nothing is installed that could not be read again.
  const filled = parseManifest(JSON.stringify({ created: new Date().toISOString(), ...rest, digest }));
  return { ...filled, name, version, inputSize: filled.preprocessing.crop };
}

/** As `loadModel` reads it: a label a line. */
function labelsText(labels: readonly string[]): string {
  return labels.map((label) => `${label}\n`).join('');
}

/** The entry at `place` where it is this very model. Throws `model_exists` where it is another. */
async function installed(place: string, manifest: Completed, labels: readonly string[]) {
  const { name, version } = manifest;
  const entry = await readEntry(place, { name, version, bundled: false });
  if (entry === undefined) return undefined;
  const text = await readFile(join(place, 'labels.txt'), 'utf8').catch(() => undefined);
  const comparable = ({ digest, preprocessing, output }: Manifest) => ({ digest, preprocessing, output });
  const same =
    entry.fault === undefined &&
    text === labelsText(labels) &&
    isDeepStrictEqual(comparable(entry.manifest!), comparable(manifest));
  if (same) return entry;
  throw new VisionscaleError(`the store already has another model ${entryLabel(entry)}`, {
    code: 'model_exists',
    hint: `Choose another name or version, or remove it first: visionscale model remove ${entryLabel(entry)}`,
  });
}

/** Removes what killed installs have left: of processes that are gone, or too old to be of one that runs. */
export async function sweep(store: string): Promise<void> {
  for (const name of await readdir(store).catch(() => [])) {
    const pid = temporary.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(store, name);
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (isRunning(Number(pid)) && age < abandonedAfter) continue;
    await rm(path, { recursive: true, force: true });
  }
}
