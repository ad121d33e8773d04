/** What has been downloaded of a file so far, kept on disk so that a later process can go on; one process at a time owns it. */
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from '../store/processes.ts';

export interface PartFile {
  readonly path: string;
  /** Bytes that are there; 0 where nothing can be gone on with. */
  size(): Promise<number>;
  /** What tells whether the server's file is still the same: an ETag or a date. Undefined where nothing is there. */
  validator(): Promise<string | undefined>;
  /** Begins anew, with the validator of what will come; without one it cannot be gone on with later. */
  restart(validator: string | undefined): Promise<void>;
  /** Adds the chunks at the end. */
  append(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  discard(): Promise<void>;
}

/** Takes over what a process that has ended left of the same address. */
export async function openPartFile(directory: string, url: string): Promise<PartFile> {
  const key = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const path = join(directory, `${key}-${process.pid}.part`);
  const pattern = new RegExp(`^${key}-(\\d+)\\.part$`);
  for (const name of await readdir(directory)) {
    const pid = Number(pattern.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid) || pid === process.pid || isRunning(pid)) continue;
    const left = join(directory, name);
    // Only one process succeeds. Without its note (lost between the two) the part is begun anew.
    if (
      await rename(left, path).then(
        () => true,
        () => false,
      )
    )
      await rename(note(left), note(path)).catch(() => undefined);
  }
  const validator = () => readFile(note(path), 'utf8').catch(() => undefined);
  const discard = async () => {
    await Promise.all([rm(path, { force: true }), rm(note(path), { force: true })]);
  };
  return {
    path,
    validator,
    discard,
    async size() {
      if ((await validator()) === undefined) return 0;
      return (await stat(path).catch(() => undefined))?.size ?? 0;
    },
    async restart(next) {
      await discard();
      if (next !== undefined) await writeFile(note(path), next);
    },
    async append(chunks) {
      await using file = await open(path, 'a');
      for await (const chunk of chunks) await file.writeFile(chunk);
    },
  };
}

function note(path: string): string {
  return `${path}.validator`;
}
