/** Which `up` runs on a data directory: one at a time, and what it tells the commands of other terminals. */
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectory } from '../../base/files/make-directory.ts';
import { giveToOwnerOfParent, unusable, writePrivate } from '../../systems/database/embedded/files.ts';
import { findHolder, isElsewhere, isGone, takeLock } from '../../systems/database/embedded/keeper/lock.ts';

/** What it tells once everything runs. */
export interface UpState {
  pid: number;
  /** ISO 8601. */
  since: string;
  /** The settings that other commands need, by the names of their variables; no secret among them. */
  env: Record<string, string>;
  /** Secret settings in force: names only. */
  secrets: string[];
  /** Address of `serve`. */
  server: string | null;
}

export interface FoundUp {
  pid: number;
  /** On another host or in another container that shares the directory: its pid means nothing here. */
  elsewhere: boolean;
  /** Null while it is starting. */
  state: UpState | null;
}

export interface Place extends AsyncDisposable {
  tell(state: UpState): Promise<void>;
}

const lockName = 'up';

/** Beside the embedded PostgreSQL's directory, for its owner alone. */
function filesOf(dataDir: string) {
  const root = join(resolve(dataDir), 'up');
  return { root, state: join(root, 'state.json') };
}

/** Null where another `up` runs. Throws DatabaseError `data_dir_unusable`. */
export async function takePlace(dataDir: string): Promise<Place | null> {
  const { root, state } = filesOf(dataDir);
  let lock;
  try {
    await makeDirectory(root, 0o700);
    await giveToOwnerOfParent(root);
    lock = await takeLock(root, { at: 0, token: '' }, lockName);
    if (lock !== null) await rm(state, { force: true });
  } catch (error) {
    throw unusable(dataDir, error);
  }
  if (lock === null) return null;
  return {
    tell: (told) => writePrivate(state, `${JSON.stringify(told, null, 2)}\n`),
    async [Symbol.asyncDispose]() {
      await rm(state, { force: true });
      await lock.release();
    },
  };
}

/** Null where none runs, also where one was killed. */
export async function findUp(dataDir: string): Promise<FoundUp | null> {
  const { root, state } = filesOf(dataDir);
  const holder = await findHolder(root, lockName).catch(() => null); // where there is no directory there is none
  if (holder === null || (await isGone(holder))) return null;
  const { pid } = holder;
  const told = await readFile(state, 'utf8').then(
    (text) => JSON.parse(text) as UpState,
    () => null,
  );
  return { pid, elsewhere: await isElsewhere(holder), state: told?.pid === pid ? told : null };
}
