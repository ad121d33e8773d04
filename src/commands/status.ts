/** `visionscale status`: one page on how everything fares, once or every second. */
import { Command } from 'commander';
import { openDatabase, openStore, openTopic } from '../compose.ts';
import { DatabaseError, errorMessage, isRetryable, VisionscaleError } from '../lib/base/errors.ts';
import { pause } from '../lib/base/flow/waiting.ts';
import { printableLines } from '../lib/base/printable.ts';
import { shownOn } from '../lib/base/report/style.ts';
import type { Status } from '../lib/pipeline/status.ts';
import type { Database } from '../lib/systems/database/open.ts';
import type { ObjectStore } from '../lib/systems/objects/store.ts';
import type { Topic } from '../lib/systems/topic/topic.ts';
import { type Context, servers, runHere, withSettings } from './shared/run.ts';

interface StatusFlags {
  watch?: boolean;
  exitZero?: boolean;
}

export function statusCommand(): Command {
  return withSettings(
    new Command('status')
      .description(
        'Show consumers, partitions and servers on one page: what waits and why, and what to do first',
      )
      .option('-w, --watch', 'Show it again every second, until Ctrl-C')
      .option('--exit-zero', 'Exit with 0 whatever the page says')
      .addHelpText(
        'after',
        '\nExit code 1 if a partition with messages has no live consumer, or if something\nis away or stuck.\n' +
          '\nExample:\n  $ visionscale status --watch',
      ),
    servers,
  ).action((options: StatusFlags, command: Command) => runHere(command, showStatus, options));
}

/** Loaded when it runs. */
const heavy = () =>
  Promise.all([import('../lib/pipeline/status.ts'), import('../lib/pipeline/status-page.ts')]);

/** How often `--watch` shows it, in milliseconds. */
const everyMs = 1000;
/** A connection that has gone silent is given up after this, in milliseconds. */
const queryTimeoutMs = 10_000;
const storePatience = { requestTimeoutMs: 3000, attempts: 1 };

async function showStatus(context: Context, options: StatusFlags): Promise<number> {
  const [{ status }, { statusPage }] = await heavy();
  const { config, signal } = context;
  await using seen = new Seen(context);
  const look = async (): Promise<Status> => {
    const { pool } = await seen.database();
    return status(pool, config.topic.name, await seen.topic(), config.pipeline, await seen.store());
  };
  const width = () => process.stdout.columns ?? 80;
  if (!options.watch) {
    const found = await look().catch(databaseAway);
    context.print(found, () => statusPage(found, width()));
    return found.verdict.ok || options.exitZero ? 0 : 1;
  }
  const screen = process.stdout.isTTY && !context.json;
  if (screen) process.stdout.write('\x1b[2J');
  while (!signal.aborted) {
    try {
      const found = await look();
      if (screen) redraw(statusPage(found, width()));
      else context.print(found, () => `${statusPage(found, width())}\n`);
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await seen.forgetDatabase();
      const text = `The database is away: ${errorMessage(error)}`;
      if (screen) redraw(text);
      else context.print({ problems: [text], verdict: { ok: false, text } }, () => `${text}\n`);
    }
    await pause(everyMs, signal);
  }
  return 0;
}

/** From the top, each line over the one that stood there: nothing flickers. */
function redraw(page: string): void {
  const lines = shownOn(process.stdout, printableLines(page))
    .split('\n')
    .map((line) => `${line}\x1b[K`);
  process.stdout.write(`\x1b[H${lines.join('\n')}\n\x1b[J`);
}

/** Without the database there is nothing to show. */
function databaseAway(error: unknown): never {
  if (!(error instanceof DatabaseError && error.retryable)) throw error;
  throw new DatabaseError(`the database is away: ${error.message}`, {
    code: error.code,
    retryable: true,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** What was opened, and stays open for the next look; what could not be opened is tried again then. */
class Seen implements AsyncDisposable {
  readonly #context: Context;
  #database: Database | undefined;
  #topic: Topic | undefined;
  #store: ObjectStore | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  async database(): Promise<Database> {
    return (this.#database ??= await openDatabase(this.#context, 'ready', { queryTimeoutMs }));
  }

  async topic(): Promise<Topic | VisionscaleError> {
    try {
      return (this.#topic ??= await openTopic(this.#context, await this.database()));
    } catch (error) {
      if (error instanceof VisionscaleError) return error;
      throw error;
    }
  }

  /** Connects to nothing yet. */
  async store(): Promise<ObjectStore> {
    return (this.#store ??= await openStore(this.#context, storePatience));
  }

  /** It may be in another place when it is back; and a topic may be in it. */
  async forgetDatabase(): Promise<void> {
    const [topic, database] = [this.#topic, this.#database];
    this.#topic = this.#database = undefined;
    await topic?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forgetDatabase();
    await this.#store?.[Symbol.asyncDispose]();
  }
}
