/** What `init` does: sets everything up and says what was there already. */
import { openDatabase, openResultTopics, openStore, openTopic } from '../../compose.ts';
import { init } from '../../lib/pipeline/init.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context): Promise<void> {
  const result = await init(context.config, {
    openDatabase: () => openDatabase(context, 'any'),
    openTopic: (database) => openTopic(context, database),
    openResultTopics: (database, topic) => openResultTopics(context, database, topic),
    openStore: () => openStore(context),
  });
  context.print(result, () =>
    [
      `database  ${result.database.where}: ${done(result.database.created)}, ${migrations(result.database.applied)}`,
      ...[result.topic, ...result.resultTopics].map(
        ({ name, created, partitions }) => `topic     ${name}: ${done(created)}, ${partitions} partitions`,
      ),
      `store     ${result.store.url}: ${done(result.store.created)}`,
      ...result.warnings.map((warning) => `warning   ${warning}`),
    ].join('\n'),
  );
}

function done(created: boolean): string {
  return created ? 'created' : 'there already';
}

function migrations(applied: string[]): string {
  return applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`;
}
