/** What opens the servers that the settings name, whatever state they are in, for what sets them up. */
import { type ComposeOptions, openDatabase, openResultTopics, openStore, openTopic } from '../../compose.ts';
import type { InitDeps } from '../../lib/pipeline/init.ts';

export function openers(options: ComposeOptions): InitDeps {
  return {
    openDatabase: () => openDatabase(options, 'any'),
    openTopic: (database) => openTopic(options, database),
    openResultTopics: (database, topic) => openResultTopics(options, database, topic),
    openStore: () => openStore(options),
  };
}
