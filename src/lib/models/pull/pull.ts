/** Gets SqueezeNet for ImageNet: downloads or reads torchvision's file, checks it, converts it and installs it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { packageRoot } from '../../base/package.ts';
import { readModelFile } from '../format/model-files.ts';
import { outputOfGraph } from '../format/output-kind.ts';
import { imagenetPreprocessing } from '../images/preprocess.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import { maxPthBytes, pthToOnnx } from '../pth/read.ts';
import { checkInference } from '../store/check.ts';
import type { ModelEntry, ModelStore, NewManifest } from '../store/store.ts';
import { checksumMismatch, shownUrl } from './download-errors.ts';
import { download, type DownloadOptions } from './download.ts';

export interface PullOptions extends Pick<DownloadOptions, 'proxy' | 'signal' | 'report' | 'timeoutMs'> {
  /** Another address (http, https) or a file; default: torchvision's, whose checksum is known. */
  from?: string | undefined;
  /** What the file must have; 64 hex digits. */
  sha256?: string | undefined;
}

export interface PullResult {
  entry: ModelEntry;
  /** Of the .pth file, 64 hex digits. */
  sha256: string;
  /** Whether that checksum was known beforehand. */
  verified: boolean;
}

/** Throws a VisionscaleError: what `download` does, and `model_unsafe`, `model_invalid`, `model_not_found`. */
export async function pullImagenet(store: ModelStore, options: PullOptions): Promise<PullResult> {
  const from = options.from ?? imagenet.url;
  const expected = options.sha256 ?? (from === imagenet.url ? imagenet.sha256 : undefined);
  const isUrl = isAddress(from);
  const bytes = isUrl ? await fetched(store, from, expected, options) : await readFrom(from);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (expected !== undefined && sha256 !== expected.toLowerCase())
    throw checksumMismatch(isUrl ? shownUrl(from) : basename(from), sha256, expected);
  const weights = pthToOnnx(bytes);
  const labels = await imagenetLabels();
  const { classes } = await checkInference(weights, imagenetPreprocessing.crop);
  if (classes !== labels.length) {
    throw new VisionscaleError(`these weights have ${classes} classes; ImageNet has ${labels.length}`, {
      code: 'labels_mismatch',
      hint: 'Add a model of your own with its labels: visionscale model add <file.pth> --labels <file>',
    });
  }
  const source = `${isUrl ? shownUrl(from) : basename(from)} sha256:${sha256}`;
  const manifest = { name: imagenet.name, version: sha256.slice(0, 8), ...outputOf(weights), source };
  const entry = await store.install({
    manifest: { ...manifest, preprocessing: imagenetPreprocessing },
    weights,
    labels,
  });
  return { entry, sha256, verified: expected !== undefined };
}

/** Throws a UsageError for an address that is none; it may hold a password, and is not repeated. */
function isAddress(from: string): boolean {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):\/\//i.exec(from)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file') return false;
  if (scheme !== 'http' && scheme !== 'https') {
    throw new UsageError(
      `--from cannot be an address of ${scheme}://`,
      'It takes an http:// or https:// address, or the path of a .pth file.',
    );
  }
  const parts = URL.canParse(from) ? new URL(from) : undefined;
  try {
    if (parts === undefined) throw new URIError();
    decodeURIComponent(parts.username + parts.password);
  } catch {
    throw new UsageError(
      'the address given with --from is not a valid URL',
      'In a user name or password write / as %2F, @ as %40, : as %3A and % as %25.',
    );
  }
  return true;
}

function outputOf(weights: Uint8Array): Pick<NewManifest, 'output' | 'outputReason'> {
  const { output, reason } = outputOfGraph(parseOnnx(weights));
  return { output, outputReason: reason };
}

async function fetched(
  store: ModelStore,
  url: string,
  sha256: string | undefined,
  { proxy, signal, report, timeoutMs }: PullOptions,
): Promise<Uint8Array> {
  const directory = join(store.directory, '.downloads');
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  return download({ url, directory, maxBytes: maxPthBytes, proxy, signal, sha256, report, ...timeout });
}

async function readFrom(from: string): Promise<Uint8Array> {
  const bytes = await readModelFile(from.startsWith('file://') ? pathOf(from) : from, maxPthBytes);
  if (bytes !== undefined) return bytes;
  throw new VisionscaleError(`there is no file ${from.startsWith('file://') ? pathOf(from) : from}`, {
    code: 'model_not_found',
    hint: '--from takes an http:// or https:// address, or the path of a .pth file.',
  });
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch {
    throw new UsageError(
      'the file:// address given with --from names no file of this host',
      'Write file:///path/to/weights.pth, or the path alone.',
    );
  }
}

/** SqueezeNet 1.1 trained on ImageNet, as torchvision publishes it: where it is, what it must be, and its labels. */
const imagenet = {
  /** What the model is called in the store. */
  name: 'squeezenet1_1',
  url: 'https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth',
  sha256: 'b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b',
} as const;

/** The 1000 categories in the order of the outputs; the weights file has none. */
async function imagenetLabels(): Promise<string[]> {
  const file = join(packageRoot, 'src/lib/models/pull/imagenet-labels.txt');
  return (await readFile(file, 'utf8')).trimEnd().split('\n');
}
