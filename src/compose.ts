/** The composition root: turns a Config into open databases, topics, stores and classifiers. Heavy parts load here, when needed. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { VisionscaleError } from './lib/base/errors.ts';
import type { Patience } from './lib/base/flow/retry.ts';
import type { Config } from './lib/config/config.ts';
import type { Classifier } from './lib/models/classifier/classifier.ts';
import type { ClassifierOptions } from './lib/models/classifier/pool.ts';
import type { LoadedModel } from './lib/models/format/model.ts';
import type { Database } from './lib/systems/database/open.ts';
import type { RoleName } from './lib/systems/database/rights.ts';
import type { Buckets, StorePatience } from './lib/systems/objects/open.ts';
import type { ObjectStore } from './lib/systems/objects/store.ts';
import type { ResultTopics } from './lib/systems/publish/topics.ts';
import type { Topic } from './lib/systems/topic/topic.ts';

export interface ComposeOptions {
  config: Config;
  /** Told what a person should know and no result depends on. */
  onNotice: (text: string) => void;
  /** How a server that is away is waited for when it is opened; absent: not at all, or by whoever opens it. */
  patiently?: Patience | undefined;
  /** Which SQL role has the rights that are needed. */
  needs?: RoleName | undefined;
}

/** Connects. The embedded database is always brought up to date; a server's only by `init`. */
export function openDatabase(
  options: ComposeOptions,
  expect: 'ready' | 'any' = 'ready',
  connection: { queryTimeoutMs?: number } = {},
): Promise<Database> {
  return (options.patiently ?? atOnce)(() => connectDatabase(options, expect, connection));
}

function atOnce<T>(step: () => Promise<T>): Promise<T> {
  return step();
}

async function connectDatabase(
  options: ComposeOptions,
  expect: 'ready' | 'any',
  connection: { queryTimeoutMs?: number },
): Promise<Database> {
  const [{ openDatabase: open }, { migrate, pendingMigrations }] = await Promise.all([
    import('./lib/systems/database/open.ts'),
    import('./lib/systems/database/migrate.ts'),
  ]);
  const database = await open(options.config.database, {
    applicationName: 'visionscale',
    needs: options.needs,
    onNotice: options.onNotice,
    ...connection,
  });
  if (expect === 'any') return database;
  try {
    if (database.kind === 'embedded') {
      await migrate(database.pool);
    } else {
      const pending = await pendingMigrations(database.pool);
      if (pending.length > 0) {
        throw new VisionscaleError(`the database ${database.describe} is not set up for this version`, {
          code: 'schema_outdated',
          hint: 'Run: visionscale init',
        });
      }
    }
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

/** `database`: asked for where the topic is in it. */
export async function openTopic(
  options: ComposeOptions,
  database: Database | (() => Promise<Database>),
): Promise<Topic> {
  const { openTopic: open } = await import('./lib/systems/topic/open.ts');
  const { topic } = options.config;
  if (topic.kind === 'embedded') {
    const { pool } = typeof database === 'function' ? await database() : database;
    return open({ kind: 'embedded', pool, name: topic.name });
  }
  return (options.patiently ?? atOnce)(() => open({ ...topic, onNotice: options.onNotice }));
}

/** Null where the settings want none. Connects when something is published. */
export async function openResultTopics(
  options: ComposeOptions,
  database: Database,
  source: Topic,
): Promise<ResultTopics | null> {
  const { topic, resultsTopic } = options.config;
  if (!resultsTopic) return null;
  const [{ openTopic: open }, { ResultTopics }] = await Promise.all([
    import('./lib/systems/topic/open.ts'),
    import('./lib/systems/publish/topics.ts'),
  ]);
  return new ResultTopics(source, (name) =>
    topic.kind === 'embedded'
      ? // Nobody has to read them: then their retention goes by age and size alone.
        open({ kind: 'embedded', pool: database.pool, name, expireUnread: true })
      : open({ ...topic, name, onNotice: options.onNotice }),
  );
}

export async function openStore(options: ComposeOptions, patience: StorePatience = {}): Promise<ObjectStore> {
  // The SDK would print a warning about Node 20 into the middle of our own output; package.json says what is supported.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { openStore: open } = await import('./lib/systems/objects/open.ts');
  return open(options.config.store, patience);
}

/** Buckets other than the store's, as `store` is patient. */
export async function openBuckets(
  { config }: ComposeOptions,
  patience: StorePatience = {},
): Promise<Buckets> {
  const { openBuckets: open } = await import('./lib/systems/objects/open.ts');
  return open({ ...config.s3, ...patience });
}

/** The model that the settings name, else the store's active one; throws where there is none or it cannot be used. */
export async function loadModel(config: Config): Promise<LoadedModel> {
  const [{ loadModel: load }, { openModelStore }, { noModel }] = await Promise.all([
    import('./lib/models/format/model.ts'),
    import('./lib/models/store/store.ts'),
    import('./lib/models/store/chosen.ts'),
  ]);
  const store = openModelStore(config.models);
  if (config.model !== undefined) return load((await store.resolve(config.model)).path);
  const active = await store.active();
  if (active === undefined) throw noModel(await store.list());
  return load(active.path);
}

/** Of the model that the settings name, or of another one. */
export async function openClassifier(
  options: ComposeOptions,
  given?: LoadedModel,
  processes: Pick<ClassifierOptions, 'mayGrow' | 'background'> = {},
): Promise<Classifier> {
  const { config } = options;
  const model = given ?? (await loadModel(config));
  const { name, version } = model.info;
  if (model.manifest?.knows !== undefined) {
    options.onNotice(`${name}@${version} only recognises ${model.manifest.knows}`);
  }
  const { openClassifier: open } = await import('./lib/models/classifier/pool.ts');
  return open({
    model,
    engine: config.engine,
    device: config.device,
    limits: config.limits,
    autoOrient: config.autoOrient,
    preprocess: config.preprocess,
    ...processes,
    onNotice: options.onNotice,
    ...(config.workers !== undefined && { workers: config.workers }),
  });
}

/** Names this process among all that may own a partition, whatever is restarted. */
export function ownerName(): string {
  return `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
}
