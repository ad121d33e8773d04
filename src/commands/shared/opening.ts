/** How commands open the servers and stores that the settings name. */
import { type ComposeOptions, openDatabase, openResultTopics, openStore, openTopic } from '../../compose.ts';
import { patience, type Patience } from '../../lib/base/flow/retry.ts';
import type { InitDeps } from '../../lib/pipeline/init.ts';
import type { StorePatience } from '../../lib/systems/objects/open.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';
import type { Context } from './run.ts';
import type { Waiting } from './service-log.ts';

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

/** For what waits for servers that are away when it starts: for ever, or as long as the settings say. */
export function patientStart(
  { config, signal }: Pick<Context, 'config' | 'signal'>,
  waiting: Waiting,
): Patience {
  return patience({ signal, forMs: config.giveUpAfterMs }, (reason) => {
    if (reason === null) waiting.over();
    else waiting.for(reason, { opening: true });
  });
}
