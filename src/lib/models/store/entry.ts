/** A model of the store as lists show it: name, version and manifest, read without its weights; and those that come with the package. */
import { stat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, UsageError } from '../../base/errors.ts';
import { packageRoot } from '../../base/package.ts';
import { parseManifest, type Manifest } from '../format/manifest.ts';
import { readModelText } from '../format/model-files.ts';
import { type HubReference, parseHubReference } from './hub-reference.ts';

export interface ModelEntry {
  name: string;
  version: string;
  /** Absolute path of its directory. */
  path: string;
  /** Undefined where the manifest cannot be read. */
  manifest: Manifest | undefined;
  digest: string | undefined;
  /** Of the weights file; 0 where there is none. */
  bytes: number;
  /** Comes with the package; cannot be removed. */
  bundled: boolean;
  /** What is wrong with it. */
  fault: string | undefined;
}

const maxManifest = 16 * 2 ** 20;

/** Reads a model directory; undefined where it holds no model at all. A manifest that is wrong is a fault, not an error. */
export async function readEntry(
  path: string,
  known: { name?: string; version?: string; bundled: boolean },
): Promise<ModelEntry | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) return undefined;
  const weights = await stat(join(path, 'model.onnx')).catch(() => undefined);
  let manifest: Manifest | undefined;
  let fault = weights?.isFile() ? undefined : 'model.onnx is missing';
  try {
    const text = await readModelText(join(path, 'model.json'), maxManifest);
    if (text === undefined && weights === undefined) return undefined;
    if (text === undefined) fault ??= 'model.json is missing';
    else manifest = parseManifest(text);
  } catch (error) {
    fault ??= errorMessage(error);
  }
  const name = known.name ?? manifest?.name;
  const version = known.version ?? manifest?.version;
  if (name === undefined || version === undefined) return undefined;
  if (manifest !== undefined && (manifest.name !== name || manifest.version !== version)) {
    fault ??= 'model.json names another model than its directory';
  }
  const { bundled } = known;
  return {
    name,
    version,
    path,
    manifest,
    digest: manifest?.digest,
    bytes: weights?.size ?? 0,
    bundled,
    fault,
  };
}

/** `name@version` */
export function entryLabel({ name, version }: { name: string; version: string }): string {
  return `${name}@${version}`;
}

/** The models that come with the package, in its directory `models/`. */
export const bundledDirectory = join(packageRoot, 'models');

/** SqueezeNet trained on the parts that `lib/local/drawings` draws: what `demo` runs on them. It knows no photographs. */
export const partsModelDirectory = join(bundledDirectory, 'squeezenet');

/** Those that are whole; each is named by its manifest. */
export async function bundledModels(directory = bundledDirectory): Promise<ModelEntry[]> {
  const names = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const directories = names
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(directory, entry.name));
  const entries = await Promise.all(directories.map((path) => readEntry(path, { bundled: true })));
  return entries.filter((entry) => entry !== undefined);
}

/** Letters, digits, `.`, `_`, `-`; the first is a letter or digit, so neither `..` nor a hidden file is a name. */
const pattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;
/** Windows knows these as devices, whatever follows the first dot. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Names and versions of models: also the names of their directories, so that no path can leave the store. */
export function isModelName(text: string): boolean {
  return pattern.test(text) && !devices.test(text) && !text.endsWith('.');
}

/** Throws a UsageError. `what` is `name` or `version`. */
export function checkModelName(text: string, what: 'name' | 'version'): string {
  if (isModelName(text)) return text;
  throw new UsageError(
    `${JSON.stringify(text)} cannot be the ${what} of a model`,
    'Use 1 to 100 of the characters a-z A-Z 0-9 . _ - and begin with a letter or digit.',
  );
}

export type Reference =
  | { kind: 'path'; path: string }
  | { kind: 'digest'; prefix: string }
  | { kind: 'hub'; reference: HubReference }
  | { kind: 'name'; name: string; version?: string };

/**
 * What a person may mean by a model. `hf:<owner>/<repository>` is one that was pulled from the hub; with a separator or
 * `.onnx` it is a path; `sha256:…` (6 digits or more) is a digest; a word may be a name or the first digits of a digest, in this order, which only the store can tell.
 */
export function parseReference(text: string): Reference {
  const hub = parseHubReference(text);
  if (hub !== undefined) return { kind: 'hub', reference: hub };
  if (/[\\/]/.test(text) || /\.onnx$/i.test(text) || text === '.' || text === '..')
    return { kind: 'path', path: text };
  const digest = /^sha256:([0-9a-f]{6,64})$/.exec(text);
  if (digest) return { kind: 'digest', prefix: `sha256:${digest[1]}` };
  const [name, version, ...rest] = text.split('@');
  if (!isModelName(name!) || rest.length > 0 || (version !== undefined && !isModelName(version))) {
    return { kind: 'path', path: text };
  }
  return { kind: 'name', name: name!, ...(version !== undefined && { version }) };
}
