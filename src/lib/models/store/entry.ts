/** A model of the store as lists show it: its manifest, read without its weights. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../../base/errors.ts';
import { parseManifest, type Manifest } from '../format/manifest.ts';
import { readModelText } from '../format/model-files.ts';

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
