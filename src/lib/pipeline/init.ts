/** The verb `init`: database, migrations, topic, bucket. Safe twice, and from two hosts at once. */
import { UsageError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { createDatabaseIfMissing } from '../systems/database/create.ts';
import { migrate } from '../systems/database/migrate.ts';
import type { Database } from '../systems/database/open.ts';
import { checkRolePrefix, makeRoles, refreshRoles, type Role } from '../systems/database/roles.ts';
import { createSchemaIfMissing, requireFit } from '../systems/database/session.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import type { ResultTopics } from '../systems/publish/topics.ts';
import type { Topic } from '../systems/topic/topic.ts';

export interface InitDeps {
  openDatabase(): Promise<Database>;
  openTopic(database: Database): Promise<Topic>;
  openResultTopics(database: Database, topic: Topic): Promise<ResultTopics | null>;
  openStore(): Promise<ObjectStore>;
}

export interface InitResult {
  database: { where: string; created: boolean; applied: string[] };
  topic: { name: string; created: boolean; partitions: number };
  /** Of results and dead letters; none where the settings want none. */
  resultTopics: { name: string; created: boolean; partitions: number }[];
  store: { url: string; created: boolean };
  /** SQL roles that were made, or brought up to date. */
  roles: Role[];
  warnings: string[];
}

export interface InitOptions {
  /** Make the SQL roles; a text is what their names begin with. */
  roles?: string | true | undefined;
}

export async function init(
  config: Config,
  deps: InitDeps,
  { roles: wanted }: InitOptions = {},
): Promise<InitResult> {
  if (wanted !== undefined && config.database.kind !== 'server') {
    throw new UsageError(
      'the embedded PostgreSQL has one role of its own and lets nobody else in: roles are for a server',
      'Name it in DATABASE_URL, or leave out --roles.',
    );
  }
  if (typeof wanted === 'string') checkRolePrefix(wanted);
  const { created } =
    config.database.kind === 'server'
      ? await createDatabaseIfMissing(config.database.connection)
      : { created: false };
  await using database = await deps.openDatabase();
  requireFit(database.pool);
  await createSchemaIfMissing(database.pool);
  const { applied } = await migrate(database.pool);
  await using topic = await deps.openTopic(database);
  const topicState = await topic.create(config.topic.partitions);
  await using results = await deps.openResultTopics(database, topic);
  const resultTopics = results === null ? [] : await results.create();
  await using store = await deps.openStore();
  const storeState = await store.create();
  // Last: whoever may not create roles has everything else by then.
  const roles =
    wanted === undefined
      ? await refreshRoles(database.pool)
      : await makeRoles(database.pool, wanted === true ? undefined : wanted);
  const warnings = [
    ...roles.warnings,
    ...partitionWarning(topic.name, topicState, config.topic.partitions),
    ...resultTopics
      .filter(({ partitions }) => partitions !== topicState.partitions)
      .map(
        ({ name, partitions }) =>
          `topic ${name} exists with ${partitions} partitions, ${topic.name} has ${topicState.partitions}: results are spread over other partitions`,
      ),
  ];
  return {
    database: { where: database.describe, created, applied },
    topic: { name: topic.name, ...topicState },
    resultTopics,
    store: { url: store.url, created: storeState.created },
    roles: roles.roles,
    warnings,
  };
}

/** A topic of another count works, but not as the settings say. */
export function partitionWarning(
  name: string,
  state: { created: boolean; partitions: number },
  wanted: number,
): string[] {
  if (state.created || state.partitions === wanted) return [];
  const remedy =
    state.partitions < wanted
      ? `visionscale topic grow --partitions ${wanted} adds the others`
      : `run a consumer for each of the ${state.partitions}`;
  return [`topic ${name} exists with ${state.partitions} partitions, the settings say ${wanted}; ${remedy}`];
}
