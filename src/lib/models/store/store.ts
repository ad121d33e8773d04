/** The models of this user, a directory each (`<store>/<name>/<version>/`), and those that come with the package. */
import { randomBytes } from 'node:crypto';
import { access, constants, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VisionscaleError } from '../../base/errors.ts';
import { explainedDiskError, replaceFile } from '../../base/files/disk.ts';
import { makeDirectory, requireRoom } from '../../base/files/make-directory.ts';
import { bundledDirectory, bundledModels, entryLabel, readEntry, type ModelEntry, isModelName, parseReference } from './entry.ts';
import { comesFrom } from './hub-reference.ts';
import { installModel, sweep, type NewModel } from './install.ts';

export type { ModelEntry } from './entry.ts';
export type { NewManifest, NewModel } from './install.ts';

export interface ModelStore {
  readonly directory: string;
  /** By name, newest version first; bundled ones last. */
  list(): Promise<ModelEntry[]>;
  /**
   * The model that is meant: a path (with a separator or `.onnx`), a name (its active version, else the newest),
   * `name@version`, what was pulled (`hf:<owner>/<repository>`), or the start of a digest (6 hex digits or more). Throws
   * `model_not_found`, `model_ambiguous`.
   */
  resolve(reference: string): Promise<ResolvedModel>;
  /** Like `resolve`, for a model of the store only. */
  find(reference: string): Promise<ModelEntry>;
  /** Throws where nothing of `bytes` can be installed: for what works long before it installs. */
  prepare(bytes: number): Promise<void>;
  install(model: NewModel): Promise<ModelEntry>;
  remove(entry: ModelEntry): Promise<void>;
  /** Makes it the active one. What it must be for that is the caller's to check. */
  use(entry: ModelEntry): Promise<void>;
  /** The active one; undefined where there is none. Throws `model_not_found` where it is gone. */
  active(): Promise<ModelEntry | undefined>;
}

export interface ResolvedModel {
  /** What `loadModel` takes. */
  path: string;
  /** Undefined for a path. */
  entry: ModelEntry | undefined;
}

/** Opens nothing: a store that is not there is empty. `bundled` is another directory than the package's, for tests. */
export function openModelStore(directory: string, bundled = bundledDirectory): ModelStore {
  return new DirectoryStore(resolve(directory), bundled);
}

class DirectoryStore implements ModelStore {
  readonly directory: string;
  readonly #bundled: string;

  constructor(directory: string, bundled: string) {
    this.directory = directory;
    this.#bundled = bundled;
  }

  async list(): Promise<ModelEntry[]> {
    const own: ModelEntry[] = [];
    for (const name of await directoriesIn(this.directory)) {
      const versions = await directoriesIn(join(this.directory, name));
      const read = versions.map((version) =>
        readEntry(join(this.directory, name, version), { name, version, bundled: false }),
      );
      own.push(...(await Promise.all(read)).filter((entry) => entry !== undefined).sort(newestFirst));
    }
    const shadowed = (b: ModelEntry) => own.some((e) => e.name === b.name && e.version === b.version);
    return [...own, ...(await bundledModels(this.#bundled)).filter((entry) => !shadowed(entry))];
  }

  async resolve(reference: string): Promise<ResolvedModel> {
    const parsed = parseReference(reference);
    if (parsed.kind === 'path') return { path: resolve(parsed.path), entry: undefined };
    const entry = await this.#lookUp(reference);
    if (entry !== undefined) return { path: entry.path, entry };
    if (await stat(reference).catch(() => undefined)) return { path: resolve(reference), entry: undefined };
    throw notFound(reference, await this.list());
  }

  async find(reference: string): Promise<ModelEntry> {
    const entry = parseReference(reference).kind === 'path' ? undefined : await this.#lookUp(reference);
    if (entry === undefined) throw notFound(reference, await this.list());
    return entry;
  }

  async #lookUp(reference: string): Promise<ModelEntry | undefined> {
    const parsed = parseReference(reference);
    const entries = await this.list();
    if (parsed.kind === 'hub')
      return this.#activeOrFirst(entries.filter((e) => comesFrom(e.manifest?.source, parsed.reference)));
    if (parsed.kind === 'name') {
      const { name, version } = parsed;
      const named = entries.filter(
        (e) => e.name === name && (version === undefined || e.version === version),
      );
      if (named.length > 0) return this.#activeOrFirst(named);
      if (version !== undefined || !/^[0-9a-f]{6,64}$/.test(name)) return undefined;
      return oneWithDigest(entries, `sha256:${name}`);
    }
    return parsed.kind === 'digest' ? oneWithDigest(entries, parsed.prefix) : undefined;
  }

  async #activeOrFirst(entries: readonly ModelEntry[]): Promise<ModelEntry | undefined> {
    const chosen = await this.#activeReference();
    return entries.find((e) => e.name === chosen?.name && e.version === chosen.version) ?? entries[0];
  }

  async prepare(bytes: number): Promise<void> {
    try {
      await makeDirectory(this.directory);
      await access(this.directory, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw explainedDiskError(error, this.directory);
    }
    await requireRoom(this.directory, bytes, 'a model');
  }

  install(model: NewModel): Promise<ModelEntry> {
    return installModel(this.directory, model);
  }

  async remove(entry: ModelEntry): Promise<void> {
    if (entry.bundled) {
      throw new VisionscaleError(`${entryLabel(entry)} comes with visionscale and cannot be removed`, {
        code: 'model_bundled',
        hint: 'It is not used unless it is the active model: visionscale model use <another>',
      });
    }
    try {
      // Out of the list in one step, then file by file.
      const grave = join(this.directory, `.installing-${process.pid}-${randomBytes(4).toString('hex')}`);
      await rename(entry.path, grave);
      await rm(grave, { recursive: true, force: true });
      await rmdir(join(this.directory, entry.name)).catch(() => undefined); // there may be other versions
      await sweep(this.directory);
      const active = await this.#activeReference();
      if (active?.name === entry.name && active.version === entry.version)
        await rm(this.#activeFile, { force: true });
    } catch (error) {
      throw explainedDiskError(error, this.directory);
    }
  }

  async use({ name, version, digest }: ModelEntry): Promise<void> {
    try {
      // A host that only uses the bundled model has no store yet.
      await makeDirectory(this.directory);
      await replaceFile(this.#activeFile, `${JSON.stringify({ name, version, digest })}\n`);
    } catch (error) {
      throw explainedDiskError(error, this.directory);
    }
  }

  async active(): Promise<ModelEntry | undefined> {
    const chosen = await this.#activeReference();
    if (chosen === undefined) return undefined;
    const entry = (await this.list()).find((e) => e.name === chosen.name && e.version === chosen.version);
    if (entry !== undefined) return entry;
    throw new VisionscaleError(
      `the active model ${entryLabel(chosen)} is not in ${this.directory} any more`,
      {
        code: 'model_not_found',
        hint: 'See what is there (visionscale model list) and choose: visionscale model use <name>',
      },
    );
  }

  get #activeFile(): string {
    return join(this.directory, '.active.json');
  }

  async #activeReference(): Promise<{ name: string; version: string } | undefined> {
    let text: string;
    try {
      text = await readFile(this.#activeFile, 'utf8');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw explainedDiskError(error, this.directory);
    }
    const { name, version } = parseActive(text);
    if (
      typeof name === 'string' &&
      typeof version === 'string' &&
      isModelName(name) &&
      isModelName(version)
    ) {
      return { name, version };
    }
    throw new VisionscaleError(`${this.#activeFile} does not name a model`, {
      code: 'model_not_found',
      hint: 'Choose one again: visionscale model use <name>',
    });
  }
}

function parseActive(text: string): { name?: unknown; version?: unknown } {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** Only what could be a name: temporary and foreign directories are passed over. */
async function directoriesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw explainedDiskError(error, directory);
  });
  return entries
    .filter((entry) => entry.isDirectory() && isModelName(entry.name))
    .map(({ name }) => name)
    .sort();
}

function newestFirst(a: ModelEntry, b: ModelEntry): number {
  return created(b) - created(a) || (a.version < b.version ? 1 : -1);
}

function created({ manifest }: ModelEntry): number {
  return manifest?.created === undefined ? 0 : Date.parse(manifest.created);
}

function oneWithDigest(entries: readonly ModelEntry[], prefix: string): ModelEntry | undefined {
  const found = entries.filter(({ digest }) => digest?.startsWith(prefix));
  // The same weights under two names are the same model.
  if (new Set(found.map(({ digest }) => digest)).size <= 1) return found[0];
  throw new VisionscaleError(`${prefix} begins the digests of ${found.map(entryLabel).join(', ')}`, {
    code: 'model_ambiguous',
    hint: 'Give more digits, or the name.',
  });
}

function notFound(reference: string, entries: readonly ModelEntry[]): VisionscaleError {
  const names = entries.slice(0, 10).map(entryLabel).join(', ');
  const parsed = parseReference(reference);
  if (parsed.kind === 'hub') {
    const { repository } = parsed.reference;
    const others = entries.filter((e) => comesFrom(e.manifest?.source, { repository, revision: undefined }));
    const there = others.length === 0 ? '' : `Of hf:${repository} there is ${others.map(entryLabel).join(', ')}.\n`;
    return new VisionscaleError(`${reference} has not been pulled`, {
      code: 'model_not_found',
      hint: `${there}Get it: visionscale model pull ${reference}`,
    });
  }
  return new VisionscaleError(`there is no model ${JSON.stringify(reference)}`, {
    code: 'model_not_found',
    hint:
      names === ''
        ? 'The store is empty. Get the ImageNet model: visionscale model pull squeezenet1_1'
        : `There are: ${names}. For a file, give its path: ./model.onnx`,
  });
}
