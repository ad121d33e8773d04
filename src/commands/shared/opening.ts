/** How commands open the servers and stores that the settings name. */
import { type ComposeOptions, openDatabase, openResultTopics, openStore, openTopic } from '../../compose.ts';
import { errorMessage, type VisionscaleError } from '../../lib/base/errors.ts';
import { retry } from '../../lib/base/flow/retry.ts';
import type { InitDeps } from '../../lib/pipeline/init.ts';
import type { StorePatience } from '../../lib/systems/objects/open.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';
import type { Context } from './run.ts';

/** For what writes to it. A directory is simply made; a bucket is not: that is for `init`, with the rights it needs. */
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

/** For what sets the servers up, whatever state they are in. */
export function openers(options: ComposeOptions): InitDeps {
  return {
    openDatabase: () => openDatabase(options, 'any'),
    openTopic: (database) => openTopic(options, database),
    openResultTopics: (database, topic) => openResultTopics(options, database, topic),
    openStore: () => openStore(options),
  };
}

/** For services, which wait for what is away when they start, as they do later. Runs a step until it succeeds or fails for a reason that waiting does not mend; a reason is logged once. */
export function patientStart({ signal, log }: Context): <T>(step: () => Promise<T>) => Promise<T> {
  let told: string | undefined;
  return (step) =>
    retry(step, {
      signal,
      onWait: (error) => {
        const reason = errorMessage(error);
        if (reason === told) return;
        told = reason;
        log.warn({ hint: (error as VisionscaleError).hint }, `waiting: ${reason}`);
      },
    });
}
