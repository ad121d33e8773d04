/** Sets the stage: servers, tables, images uploaded (by an upload that is killed once), processes ready to start. */
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openStore } from '../../src/lib/systems/objects/open.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { ensureBuilt } from '../support/build.ts';
import { Belt } from './belt.ts';
import { launch, run, runOrThrow, settingsFor } from './binary.ts';
import { embeddedStack } from './embedded.ts';
import { type Images, makeImages } from './images.ts';
import { Inspector } from './inspector.ts';
import type { FaultsOptions } from './options.ts';
import { Random } from './random.ts';
import { realStack } from './real.ts';
import type { Stack } from './stack.ts';
import { Supervised } from './supervised.ts';
import { placeWitness } from './witness.ts';
import type { World } from './world.ts';

export interface Stage extends AsyncDisposable {
  dir: string;
  env: Record<string, string>;
  world: World;
  images: Images;
  topic: Topic;
}

/** The application name under which the run's own connections show. */
export const ourName = 'visionscale-faults';
/** What `produce` brings is enough for all the time in which faults begin, and some more. */
const spare = 1.3;

/** Disposing ends servers and connections; the processes are stopped by whoever started them. */
export async function setStage(options: FaultsOptions, say: (text: string) => void): Promise<Stage> {
  await ensureBuilt();
  const dir = await mkdtemp(join(tmpdir(), `visionscale-faults-${options.seed}-`));
  await mkdir(join(dir, 'logs'));
  const opened: AsyncDisposable[] = [];
  const dispose = async () => {
    for (const resource of opened.reverse()) await resource[Symbol.asyncDispose]();
  };
  const own = <T extends AsyncDisposable>(resource: T): T => {
    opened.push(resource);
    return resource;
  };
  try {
    const names = Array.from({ length: options.consumers }, (_, at) => `c${at + 1}`);
    const stack: Stack = own(
      options.stack === 'real' ? await realStack(dir, names) : await embeddedStack(dir),
    );
    const env = settingsFor(stack.env, dir);
    await stack.prepare();
    await runOrThrow(['init'], dir, env);
    const config = loadConfig(env);
    const database = own(await openDatabase(config.database, { applicationName: ourName, max: 4 }));
    const topic = own(await topicOf(config, database));
    const inspector = new Inspector(database.pool);
    await placeWitness(inspector);

    const store = own(await openStore(config.store));
    const count = Math.ceil(options.minutes * 60 * options.rate * spare);
    const badCount = Math.max(options.poison > 0 ? 16 : 0, Math.round(count * options.poison));
    const images = await makeImages(options, dir, count, badCount, store);
    env['VISIONSCALE_MODEL'] = images.model;
    await uploadAll(inspector, images, dir, env, say);
    // Keys of what no upload would let through: rows by hand.
    for (const key of images.bad) {
      await inspector.rows('insert into image_info (image_key) values ($1)', [key]);
    }

    const random = new Random(options.seed).fork();
    const belt = new Belt(topic, images, random, options);
    const process = (name: string, args: string[], isDone?: (code: number | null) => boolean) =>
      new Supervised({
        name,
        logFile: join(dir, 'logs', `${name}.log`),
        launch: (n) => {
          const line = launch(args, dir, env, `${name}-${n}`);
          return stack.hosts?.on(name, line) ?? line;
        },
        ...(isDone && { isDone }),
      });
    const consumers = names.map((name) =>
      process(name, ['consume', ...(options.share === 'group' ? ['--group'] : [])]),
    );
    const producer = process('produce', ['produce', '--rate', `${options.rate}`], (code) => code === 0);
    const partitions = await topic.partitions();
    const moreImages = (n: number) => images.more(n);
    const common = { dir, env, options, stack, inspector, partitions, moreImages, say };
    const world: World = { ...common, consumers, producer, belt };
    return { dir, env, world, images, topic, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    say(`the stage could not be set: ${error instanceof Error ? error.message : String(error)}`);
    await dispose();
    if (!options.keep) await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
    throw error;
  }
}

function topicOf(config: ReturnType<typeof loadConfig>, database: Database): Promise<Topic> {
  return openTopic(
    config.topic.kind === 'kafka' ? config.topic : { ...config.topic, kind: 'embedded', pool: database.pool },
  );
}

/** Killed once on its way, it ends where one clean run would. */
async function uploadAll(
  inspector: Inspector,
  images: Images,
  dir: string,
  env: Record<string, string>,
  say: (text: string) => void,
): Promise<void> {
  const args = ['upload', images.uploads.dir, '--json'];
  const enough = new AbortController();
  const running = run(args, dir, env, { kill: enough.signal });
  let over = false;
  const killed = running.finally(() => (over = true));
  while (!over && (await inspector.rows('select from image_info limit 20')).length < 20) await sleep(10);
  enough.abort();
  const done = JSON.parse(await runOrThrow(args, dir, env)) as { uploaded: number; skipped: number };
  const all = done.uploaded + done.skipped;
  if (all !== images.uploads.keys.length) throw new Error(`${all} of ${images.uploads.keys.length} uploaded`);
  say(
    `uploaded ${all} images${(await killed).code === null ? ` (killed with ${done.skipped} done, and run again)` : ''}`,
  );
}
