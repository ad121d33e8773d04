/** Pulls an ONNX classifier from the Hugging Face hub, as it is published there for transformers.js. */
import { createHash, randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { explainedDiskError } from '../../base/files/disk.ts';
import { makeDirectory } from '../../base/files/make-directory.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { addModel, type AddModelOptions, type AddResult } from '../store/add.ts';
import { entryLabel } from '../store/entry.ts';
import {
  hubReferenceText,
  hubSourceText,
  isHubFile,
  parseHubSource,
  type HubReference,
  type HubSource,
} from '../store/hub-reference.ts';
import type { ModelEntry, ModelStore } from '../store/store.ts';
import { checksumMismatch } from './download-errors.ts';
import { checkedHub, describeRepository, getFile, getText, type HubClientOptions, type Repository } from './hub-client.ts';

export interface HubPullOptions extends Omit<HubClientOptions, 'directory'> {
  /** Path of the weights in the repository; default: `onnx/model.onnx`, else `model.onnx`. */
  file?: string | undefined;
  /** What the weights must have; 64 hex digits. */
  sha256?: string | undefined;
  /** What the store calls the model; default: the repository's name. */
  name?: string | undefined;
  /** Instead of what the repository says. */
  preprocessing?: Preprocessing | undefined;
}

export interface HubPull {
  entry: ModelEntry;
  /** Of the weights as they were downloaded, 64 hex digits. */
  sha256: string;
  /** Whether that was known beforehand: by `sha256`, or from an earlier pull. */
  verified: boolean;
  /** What a person should know before using it. */
  warnings: string[];
  commit: string;
  license: string | undefined;
}

/** The most that `model add` takes. */
const maxWeightsBytes = 512 * 2 ** 20;

const usualFiles = ['onnx/model.onnx', 'model.onnx'];
const configs = ['config.json', 'preprocessor_config.json'];

/**
 * Throws a VisionscaleError: what `download` and `addModel` do; `model_not_found` for what the hub does not have,
 * `hub_refused` for what it does not give, `checksum_mismatch` for other weights than those of an earlier pull.
 */
export async function pullFromHub(
  store: ModelStore,
  reference: HubReference,
  options: HubPullOptions,
): Promise<HubPull> {
  const asked = hubReferenceText(reference);
  const client = { ...options, hub: checkedHub(options.hub), directory: join(store.directory, '.downloads') };
  if (options.file !== undefined && !(isHubFile(options.file) && options.file.endsWith('.onnx'))) {
    throw new UsageError(
      `--file cannot be ${JSON.stringify(options.file)}`,
      'It takes the path of an .onnx file in the repository: --file onnx/model_fp16.onnx',
    );
  }
  const repository = await describeRepository(reference, client);
  const { commit, license } = repository;
  const { path, bytes: size, sha256: listed } = chooseWeights(repository, asked, options.file);
  const source = { ...reference, revision: reference.revision ?? 'main', commit, file: path };
  const earlier = await earlierPulls(store, source);
  // Before anything is downloaded, as far as the hub tells.
  if (listed !== undefined) refuseChanged(earlier, source, listed);
  await store.prepare(size ?? 0);

  const weights = await getFile(reference, { commit, path, maxBytes: maxWeightsBytes }, client);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  refusePointer(weights, `${path} of ${asked}`);
  refuseChanged(earlier, source, sha256);
  const expected = options.sha256 ?? listed;
  if (expected !== undefined && sha256 !== expected.toLowerCase()) {
    throw checksumMismatch(`${path} of ${asked}`, sha256, expected, '');
  }
  const texts: [name: string, Uint8Array][] = [];
  for (const name of configs.filter((each) => repository.files.has(each)))
    texts.push([name, await getText(reference, { commit, path: name }, client)]);

  const { entry, warnings } = await add(store, { weights, path, texts, asked }, {
    ...flagsOf(options.preprocessing),
    name: options.name ?? nameInStore(reference),
    version: sha256.slice(0, 8),
    source: hubSourceText({ ...source, sha256 }),
  });
  const verified = options.sha256 !== undefined || earlier.some((one) => one.sha256 === sha256);
  return { entry, sha256, verified, warnings, commit, license };
}

/** Throws `model_not_found`, naming what there is, and `model_invalid` for what is not read. */
function chooseWeights({ files }: Repository, asked: string, wanted: string | undefined) {
  const path = wanted ?? usualFiles.find((each) => files.has(each)) ?? usualFiles[0]!;
  const file = files.get(path);
  if (file === undefined) {
    const names = [...files.keys()];
    const onnx = names.filter((name) => name.endsWith('.onnx') && isHubFile(name));
    const others = names.filter((name) => /\.(safetensors|bin|pth?|h5|tflite|msgpack)$/.test(name) && isHubFile(name));
    const are = (found: readonly string[]) => `${found.slice(0, 8).join(', ')}${found.length > 8 ? ', …' : ''}`;
    throw new VisionscaleError(`${asked} has no ${onnx.length === 0 && wanted === undefined ? 'ONNX file' : path}`, {
      code: 'model_not_found',
      hint:
        onnx.length > 0
          ? `It has ${are(onnx)}: choose one with --file.`
          : `${others.length > 0 ? `It has ${are(others)}. ` : ''}Look for its ONNX version (onnx-community has many), or export it and use model add.`,
    });
  }
  // As exporters call them: model.onnx_data, model.onnx_data_1, model.onnx.data.
  const data = [...files.keys()].find((name) => name.startsWith(`${path}_data`) || name === `${path}.data`);
  if (data !== undefined) {
    throw new VisionscaleError(`${path} of ${asked} keeps its weights in another file (${data})`, {
      code: 'model_invalid',
      hint: 'Choose a file that is whole with --file, or download both and save them as one:\nonnx.save_model(onnx.load("model.onnx"), "one.onnx", save_as_external_data=False)',
    });
  }
  if (file.bytes !== undefined && file.bytes > maxWeightsBytes) {
    const [has, limit] = [file.bytes, maxWeightsBytes].map((bytes) => (bytes / 2 ** 20).toFixed(0));
    throw new VisionscaleError(`${path} of ${asked} has ${has} MiB; the limit is ${limit} MiB`, {
      code: 'download_too_large',
      hint: 'Choose a smaller one.',
    });
  }
  return { path, ...file };
}

type Unread = Omit<HubSource, 'sha256'>;

/** What the store has of this file of the repository, at any commit. */
async function earlierPulls(store: ModelStore, { repository, file }: Unread): Promise<(HubSource & { entry: ModelEntry })[]> {
  return (await store.list()).flatMap((entry) => {
    const from = parseHubSource(entry.manifest?.source);
    return from?.repository === repository && from.file === file ? [{ ...from, entry }] : [];
  });
}

/** What a name stood for at its first pull it stands for until a person says otherwise. Throws `checksum_mismatch`. */
function refuseChanged(
  earlier: readonly (HubSource & { entry: ModelEntry })[],
  { repository, revision, commit, file }: Unread,
  sha256: string,
): void {
  const same = earlier.find((one) => one.commit === commit) ?? earlier.find((one) => one.revision === revision);
  if (same === undefined || same.sha256 === sha256) return;
  const label = entryLabel(same.entry);
  if (same.commit === commit) {
    throw new VisionscaleError(
      `${file} of hf:${repository} has the sha256 ${sha256} now, and had ${same.sha256} when ${label} was pulled from the same commit`,
      {
        code: 'checksum_mismatch',
        hint: 'A commit does not change: something on the way (a proxy, a mirror) changes the file. Nothing was installed.',
      },
    );
  }
  if (earlier.some((one) => one.sha256 === sha256)) return; // a person has taken it already
  throw new VisionscaleError(`${file} of hf:${repository}@${revision} has changed since ${label} was pulled`, {
    code: 'checksum_mismatch',
    hint:
      `Keep what is installed: visionscale model use ${label}\n` +
      `Or take the new one by its commit: visionscale model pull hf:${repository}@${commit}`,
  });
}

/** What stands in Git for a large file. Throws `model_invalid`. */
function refusePointer(bytes: Uint8Array, what: string): void {
  if (!Buffer.from(bytes.subarray(0, 100)).toString('latin1').startsWith('version https://git-lfs.github.com/spec/')) return;
  throw new VisionscaleError(`${what} came as a Git LFS pointer, without its content`, {
    code: 'model_invalid',
    hint: 'The mirror at HF_ENDPOINT does not serve large files: use another, or the hub itself.',
  });
}

/** Through `model add`, of a directory as the hub shows it. */
async function add(
  store: ModelStore,
  given: { weights: Uint8Array; path: string; texts: [name: string, Uint8Array][]; asked: string },
  options: AddModelOptions,
): Promise<AddResult> {
  // Named as an install is, so that what a killed process leaves is swept away.
  const directory = join(store.directory, `.installing-${process.pid}-${randomBytes(4).toString('hex')}`);
  const file = join(directory, 'onnx', basename(given.path));
  try {
    await makeDirectory(join(directory, 'onnx'));
    await writeFile(file, given.weights);
    for (const [name, content] of given.texts) await writeFile(join(directory, name), content);
    return await addModel(store, file, options);
  } catch (error) {
    throw named(explainedDiskError(error, store.directory), given.asked, given.texts);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The fault of a file that was added, told as one of the repository: its paths here are nobody's. */
function named(error: unknown, asked: string, texts: readonly [name: string, Uint8Array][]): unknown {
  if (!(error instanceof VisionscaleError)) return error;
  const { code, message, hint = '' } = error;
  const byHand = 'Download its files and add them by hand: visionscale model add <directory>';
  switch (code) {
    case 'labels_missing': {
      const has = texts.some(([name]) => name === 'config.json');
      return new VisionscaleError(
        has ? `config.json of ${asked} names no classes (id2label)` : `${asked} has no config.json, which names the classes`,
        { code, hint: `${byHand} --labels <file>` },
      );
    }
    case 'model_exists':
      return new VisionscaleError(`${asked} has other labels or another preprocessing now: ${message}`, {
        code,
        hint: hint.replace('Choose another name or version, or remove', 'Remove'),
      });
    case 'model_invalid':
    case 'labels_mismatch':
      return new VisionscaleError(`${asked}: ${message}`, {
        code,
        hint: hint.includes('--') ? `${byHand} …\n${hint}` : hint,
        cause: error,
      });
    default:
      return error;
  }
}

function flagsOf(preprocessing: Preprocessing | undefined): AddModelOptions {
  if (preprocessing === undefined) return {};
  const { resize, crop, mean, std, interpolation = 'bilinear' } = preprocessing;
  return { resize, crop, mean, std, interpolation };
}

/** The repository's name, without what a model's cannot begin or end with. */
function nameInStore({ repository }: HubReference): string {
  return repository.slice(repository.indexOf('/') + 1).replaceAll(/^[._-]+|\.+$/g, '');
}
