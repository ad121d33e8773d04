/** Opens the object store for what writes to it. */
import { type ComposeOptions, openStore } from '../../compose.ts';
import type { StorePatience } from '../../lib/systems/objects/open.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';

/** A directory is simply made; a bucket is not: that is for `init`, with the rights it needs. */
export async function openReadyStore(
  options: ComposeOptions,
  patience?: StorePatience,
): Promise<ObjectStore> {
  const store = await openStore(options, patience);
  try {
    if (store.kind === 'file') await store.create();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
