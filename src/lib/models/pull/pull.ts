/** `model pull`: gets a model by its name in the catalogue, or of the Hugging Face hub, checks it and installs it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { meant } from '../../base/nearest.ts';
import { packageRoot } from '../../base/package.ts';
import { readModelFile } from '../format/model-files.ts';
import { outputOfGraph } from '../format/output-kind.ts';
import { parseOnnx } from '../onnx/onnx.ts';
import { maxPthBytes, pthToOnnx } from '../pth/read.ts';
import { checkInference } from '../store/check.ts';
import { parseHubReference } from '../store/hub-reference.ts';
import type { ModelStore, NewManifest } from '../store/store.ts';
import { catalogue, type CatalogueModel, inCatalogue, type WeightsFile } from './catalogue.ts';
import { checksumMismatch, shownUrl } from './download-errors.ts';
import { download } from './download.ts';
import { type HubPull, type HubPullOptions, pullFromHub } from './hub.ts';

export interface PullOptions extends Omit<HubPullOptions, 'name' | 'preprocessing'> {
  /** Another address (http, https) or a file of the same model; default: its publisher's, whose checksum is known. */
  from?: string | undefined;
}

export interface PullResult extends Omit<HubPull, 'commit'> {
  /** Of the repository on the hub, 40 hex digits. */
  commit: string | undefined;
}

/**
 * Gets a model by its name in the catalogue, or as `hf:<owner>/<repository>[@<revision>]`. Throws a UsageError for another
 * name, else a VisionscaleError: what `download`, `pullFromHub` and `addModel` do, and `model_unsafe`.
 */
export async function pullModel(store: ModelStore, name: string, options: PullOptions): Promise<PullResult> {
  if (name.startsWith('hf:')) {
    const reference = parseHubReference(name);
    if (reference === undefined) throw new UsageError(`${JSON.stringify(name)} names no model of the hub`, howHub);
    return pullFromHub(store, reference, notFrom(options, name));
  }
  const model = inCatalogue(name);
  if (model === undefined) throw unknown(name);
  if (model.from.kind === 'pth') return pullWeights(store, model, model.from, options);
  const { repository, commit, file } = model.from;
  const hub = { ...notFrom(options, name), file, name: model.name, preprocessing: model.preprocessing };
  if (options.file !== undefined) throw noFile(name);
  return { ...(await pullFromHub(store, { repository, revision: commit }, hub)), license: model.license };
}

const howHub = 'Write hf:<owner>/<repository>, or hf:<owner>/<repository>@<branch, tag or commit>.';

function unknown(name: string): UsageError {
  const near = meant(name, catalogue.map((model) => model.name));
  return new UsageError(
    `there is no model ${JSON.stringify(name)} to pull${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    `There are ${catalogue.map((model) => model.name).join(', ')},\n` +
      'and those of the Hugging Face hub: hf:<owner>/<repository>.\n' +
      'A model of your own is added from its file: visionscale model add <file.onnx>',
  );
}

function noFile(name: string): UsageError {
  return new UsageError(`--file cannot be used with ${name}`, 'It chooses among the files of a repository: hf:<owner>/<repository>.');
}

function notFrom(options: PullOptions, name: string): PullOptions {
  if (options.from === undefined) return options;
  throw new UsageError(
    `--from cannot be used with ${name}`,
    'Files that were downloaded elsewhere, with config.json beside them, are added: visionscale model add <directory>',
  );
}

/** A `.pth` file of torchvision: downloaded or read, checked, converted and installed. */
async function pullWeights(
  store: ModelStore,
  model: CatalogueModel,
  published: WeightsFile,
  options: PullOptions,
): Promise<PullResult> {
  if (options.file !== undefined) throw noFile(model.name);
  const from = options.from ?? published.url;
  const earlier = from === published.url ? await earlierDigest(store, model.name, from) : undefined;
  const expected = options.sha256 ?? earlier ?? (from === published.url ? published.sha256 : undefined);
  const isUrl = isAddress(from);
  const bytes = isUrl ? await fetched(store, from, model.name, options) : await readFrom(from);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (expected !== undefined && !sha256.startsWith(expected.toLowerCase()))
    throw checksumMismatch(isUrl ? `what came from ${shownUrl(from)}` : basename(from), sha256, expected);
  const weights = pthToOnnx(bytes);
  const labels = await imagenetLabels();
  const { classes } = await checkInference(weights, model.preprocessing.crop);
  if (classes !== labels.length) {
    throw new VisionscaleError(`these weights have ${classes} classes; ImageNet has ${labels.length}`, {
      code: 'labels_mismatch',
      hint: 'Add a model of your own with its labels: visionscale model add <file.pth> --labels <file>',
    });
  }
  const source = `${isUrl ? shownUrl(from) : basename(from)} sha256:${sha256}`;
  const manifest = { name: model.name, version: sha256.slice(0, 8), ...outputOf(weights), source };
  const entry = await store.install({
    manifest: { ...manifest, preprocessing: model.preprocessing },
    weights,
    labels,
  });
  const verified = expected?.length === 64;
  return { entry, sha256, verified, warnings: [], commit: undefined, license: model.license };
}

/** Of the file as it was pulled from this address before: where only its first digits are published, the rest is kept. */
async function earlierDigest(store: ModelStore, name: string, url: string): Promise<string | undefined> {
  for (const { name: own, manifest } of await store.list()) {
    const [address, digest] = manifest?.source?.split(' sha256:') ?? [];
    if (own === name && address === shownUrl(url) && /^[0-9a-f]{64}$/.test(digest ?? '')) return digest;
  }
  return undefined;
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
  name: string,
  { proxy, signal, report, timeoutMs }: PullOptions,
): Promise<Uint8Array> {
  const directory = join(store.directory, '.downloads');
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  const instead = `name it: visionscale model pull ${name} --from <file>`;
  return download({ url, directory, maxBytes: maxPthBytes, proxy, signal, report, instead, ...timeout });
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

/** The 1000 categories in the order of the outputs; the weights file has none. */
async function imagenetLabels(): Promise<string[]> {
  const file = join(packageRoot, 'src/lib/models/pull/imagenet-labels.txt');
  return (await readFile(file, 'utf8')).trimEnd().split('\n');
}
