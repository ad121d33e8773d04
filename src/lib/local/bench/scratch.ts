/** A place for a benchmark beside what is really there: a database, topics and a folder of objects of its own. */
import { rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Config } from '../../config/config.ts';
import { init, type InitDeps } from '../../pipeline/init.ts';
import { resolveConnection } from '../../systems/database/connection.ts';
import { dropDatabase } from '../../systems/database/create.ts';
import type { Database } from '../../systems/database/open.ts';
import { outboxKinds } from '../../systems/database/tables/outbox.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import { type ResultTopics, resultTopicName } from '../../systems/publish/topics.ts';
import type { Topic } from '../../systems/topic/topic.ts';

export interface Scratch extends AsyncDisposable {
  readonly pipeline: string;
  readonly partitions: number;
  readonly database: Database;
  readonly store: ObjectStore;
  /** Where everything is, for people. */
  readonly describe: string;
  /** A topic for one stage; its results topics go with it. */
  topic(stage: string): Promise<Topic>;
  /** Where the results of such a topic are published; null where the settings want none. To be closed by the caller. */
  results(topic: Topic): Promise<ResultTopics | null>;
}

export interface ScratchDeps {
  /** Opens what this config names. */
  openers: (config: Config) => InitDeps;
  /** An empty directory for everything embedded; removed by its owner. */
  directory: string;
  /** Tells this run from others: letters and digits. */
  id: string;
  onNotice: (text: string) => void;
  /** Whose topic is made first. */
  stage?: string;
}

/** The same servers, other names. What is embedded goes to `directory`. */
export function scratchConfig(config: Config, directory: string, id: string): Config {
  const { database, store } = config;
  const name = `visionscale_bench_${id}`;
  return {
    ...config,
    dataDir: directory,
    pipeline: `bench-${id}`,
    database:
      database.kind === 'embedded'
        ? { kind: 'embedded', dataDir: directory }
        : { kind: 'server', connection: { ...resolveConnection(database.connection), database: name } },
    store:
      store.kind === 's3'
        ? { ...store, prefix: [store.prefix, name].filter((part) => part !== '').join('/') }
        : { kind: 'file', dir: besideStore(store.dir, config.dataDir, directory, name) },
  };
}

/** The same, with the topic of one stage. */
export function scratchTopic(own: Config, id: string, stage: string, partitions: number): Config {
  return { ...own, topic: { ...own.topic, partitions, name: `${own.topic.name}.bench-${id}-${stage}` } };
}

/** A directory that was named may be on another disk than the embedded one: measured is the named one. */
function besideStore(dir: string, dataDir: string, directory: string, name: string): string {
  return dir.startsWith(dataDir + sep) ? join(directory, 'images') : join(dir, '..', name);
}

/** Throws what `init` throws where these servers do not let a database or a bucket be made. */
export async function openScratch(config: Config, deps: ScratchDeps): Promise<Scratch> {
  const own = scratchConfig(config, deps.directory, deps.id);
  const named = (stage: string) => scratchTopic(own, deps.id, stage, own.topic.partitions);
  const first = named(deps.stage ?? 'end-to-end');
  await init(first, deps.openers(first));
  const open = deps.openers(own);
  const database = await open.openDatabase();
  const store = await open.openStore();
  const topics: Topic[] = [];
  const names = new Set([first.topic.name]);
  let closing: Promise<void> | undefined;

  const close = async () => {
    for (const topic of topics) await topic[Symbol.asyncDispose]();
    if (store.kind === 's3') for await (const { key } of store.list()) await store.remove(key);
    await store[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    if (own.topic.kind === 'kafka') {
      const { removeKafkaTopics } = await import('../../systems/topic/kafka/topic.ts');
      const all = [...names].flatMap((name) => [
        name,
        ...outboxKinds.map((kind) => resultTopicName(name, kind)),
      ]);
      const left = await removeKafkaTopics(own.topic, all);
      if (left.length > 0) deps.onNotice(`these topics could not be deleted: ${left.join(', ')}`);
    }
    if (own.database.kind === 'server') await dropDatabase(own.database.connection);
    if (own.store.kind === 'file') await rm(own.store.dir, { recursive: true, force: true });
  };

  return {
    pipeline: own.pipeline,
    partitions: own.topic.partitions,
    database,
    store,
    describe: `database ${database.describe}, topic ${own.topic.kind === 'kafka' ? own.topic.brokers : 'in the database'}, store ${store.url}`,
    async topic(stage) {
      const topic = await deps.openers(named(stage)).openTopic(database);
      topics.push(topic);
      names.add(topic.name);
      await topic.create(own.topic.partitions);
      return topic;
    },
    results: (topic) => open.openResultTopics(database, topic),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}
