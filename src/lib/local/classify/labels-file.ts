/** The CSV file of labels, and beside it what a later run needs to go on where this one stopped. */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { stringify } from 'csv-stringify/sync';
import { errorMessage, UsageError } from '../../base/errors.ts';
import { replaceAskedFile, replaceFile, unwrittenFile } from '../../base/files/disk.ts';
import { requireWritableFile } from '../../base/files/make-directory.ts';
import type { ClassifiedImage } from './classify.ts';

export interface LabelsOptions {
  /** Labels of another server are not gone on with. */
  server: string;
  /** Begin anew, and have every image classified once more. */
  again: boolean;
}

/** A line of the file `<out>.state`: what is done. */
interface Done {
  sha256: string;
  result: RemoteImage;
}

interface Head {
  server: string;
  run: string;
}

const columns = ['image', 'category', 'confidence', 'bin', 'model', 'id', 'novelty'];

export class LabelsFile implements AsyncDisposable {
  /** Part of every idempotency key of the run; empty unless it was begun with `again`. */
  readonly run: string;
  readonly #path: string;
  readonly #done: ReadonlyMap<string, Done>;
  readonly #csv: FileHandle;
  readonly #state: FileHandle;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    path: string,
    head: Head,
    done: ReadonlyMap<string, Done>,
    csv: FileHandle,
    state: FileHandle,
  ) {
    this.#path = path;
    this.run = head.run;
    this.#done = done;
    this.#csv = csv;
    this.#state = state;
  }

  /** Throws a UsageError where the files are of something else, `cannot_write` or `disk_full` where they cannot be written. */
  static async open(path: string, { server, again }: LabelsOptions): Promise<LabelsFile> {
    const statePath = `${path}.state`;
    const state = again ? null : await readState(statePath);
    if (state === null && !again && (await read(path)) !== null) {
      throw new UsageError(`${path} already exists and was not written by classify --out`, choose);
    }
    if (state !== null && state.head.server !== server) {
      throw new UsageError(`${path} holds labels of another server (${state.head.server})`, choose);
    }
    const head = state?.head ?? { server, run: again ? randomUUID() : '' };
    const done = state?.done ?? new Map<string, Done>();
    try {
      // Both are made from what was read whole: a line that a killed run has left half is gone.
      await replaceFile(
        statePath,
        [head, ...done.values()].map((line) => `${JSON.stringify(line)}\n`).join(''),
      );
      await replaceFile(
        path,
        csv(
          [...done.values()].map(({ result }) => result),
          true,
        ),
      );
      return new LabelsFile(path, head, done, await open(path, 'a'), await open(statePath, 'a'));
    } catch (error) {
      throw unwrittenFile(error, path);
    }
  }

  /** What an earlier run has found out about this content under this path. */
  known(image: string, sha256: string): RemoteImage | undefined {
    const done = this.#done.get(image);
    return done?.sha256 === sha256 ? done.result : undefined;
  }

  async add(sha256: string, result: RemoteImage): Promise<void> {
    const line = `${JSON.stringify({ sha256, result } satisfies Done)}\n`;
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#state.appendFile(line);
        await this.#csv.appendFile(csv([result], false));
      } catch (error) {
        throw unwrittenFile(error, this.#path);
      }
    });
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#csv.close();
    await this.#state.close();
  }
}

const choose = 'Choose another file, remove this one and its .state, or start over with --again.';

/** A name that a spreadsheet would take for a formula is escaped. */
function csv(rows: readonly RemoteImage[], header: boolean): string {
  return stringify([...rows], { header, columns, escape_formulas: true });
}

/** Tried before any image is looked at. Throws a UsageError where it is there already, or cannot be written. */
export async function requireNewFile(path: string, again: boolean): Promise<void> {
  await requireWritableFile(path);
  if (!again && (await read(path)) !== null)
    throw new UsageError(`${path} already exists`, 'Choose another file, or replace it with --again.');
}

/** The labels of `classify --local`, in one step: a server's columns without those that only a server knows. */
export async function writeLabels(path: string, rows: readonly ClassifiedImage[]): Promise<void> {
  const own = columns.filter((column) => column !== 'bin' && column !== 'id');
  await replaceAskedFile(path, stringify([...rows], { header: true, columns: own, escape_formulas: true }));
}

async function readState(path: string): Promise<{ head: Head; done: Map<string, Done> } | null> {
  const [first, ...rest] = ((await read(path)) ?? '').split('\n');
  const { server, run } = parsed<Head>(first ?? '') ?? {};
  if (server === undefined || run === undefined) return null;
  const done = new Map<string, Done>();
  for (const line of rest) {
    const { sha256, result } = parsed<Done>(line) ?? {};
    if (sha256 !== undefined && result !== undefined)
      done.set(result.image, { sha256, result: { ...result, novelty: result.novelty ?? null } });
  }
  return { head: { server, run }, done };
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw new UsageError(`${path} cannot be read: ${errorMessage(error)}`);
  }
}

function parsed<T>(line: string): Partial<T> | undefined {
  try {
    return JSON.parse(line) as Partial<T>;
  } catch {
    return undefined;
  }
}

/** As of `classify --local`, with what a server knows besides. */
export interface RemoteImage extends ClassifiedImage {
  bin: string | null;
  /** The request id. */
  id: string;
}
