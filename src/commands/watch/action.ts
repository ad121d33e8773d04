/** What `watch` does: watches a folder until it is told to stop, and logs what it sends. */
import { openDatabase, openTopic } from '../../compose.ts';
import { errorMessage, isRetryable, UsageError } from '../../lib/base/errors.ts';
import { formatBytes } from '../../lib/base/report/progress.ts';
import { counted } from '../../lib/base/report/table.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import type { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { watch, type WatchEvent } from '../../lib/pipeline/watch/watch.ts';
import { imageTable } from '../../lib/systems/database/tables/images.ts';
import { jsonText } from '../shared/lines.ts';
import { showWaiting } from '../shared/metrics.ts';
import { patientStart, openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';

export interface WatchFlags {
  include: string[];
  exclude: string[];
  prefix?: string;
  belt?: string;
  settle?: number;
  incomplete?: number;
  poll?: number;
  deleteAfter?: boolean;
  concurrency?: number;
}

export default async function (
  context: Context,
  given: string | undefined,
  options: WatchFlags,
): Promise<void> {
  const { config, signal } = context;
  const dir = given ?? config.imageDir;
  if (dir === undefined)
    throw new UsageError('watch needs a folder', 'visionscale watch <dir>, or set IMG_DIR');
  const start = patientStart(context);
  using log = watchLog(context);
  await using metrics = await showWaiting(context, 'watch', feedMetrics);
  try {
    await using database = await start(() => openDatabase(context));
    await using topic = await start(() => openTopic(context, database));
    await using store = await openReadyStore(context, storePatience);
    await using looking = openImagesApart(config.limits, context.onNotice);
    const result = await watch(
      {
        pool: database.pool,
        topic,
        store,
        images: imageTable(database.pool),
        check: (bytes) => looking.check(bytes),
        report(event) {
          log.hear(event);
          metrics.hear(event);
        },
      },
      {
        dir,
        include: options.include,
        exclude: options.exclude,
        settleMs: options.settle ?? 200,
        incompleteMs: options.incomplete ?? 10_000,
        pollMs: options.poll ?? null,
        deleteAfter: options.deleteAfter === true,
        concurrency: options.concurrency ?? 4,
        maxBytes: config.limits.maxBytes,
        partitions: config.topic.partitions,
        signal,
        ...(options.prefix !== undefined && { prefix: options.prefix }),
        ...(options.belt !== undefined && { belt: options.belt }),
      },
    );
    log[Symbol.dispose]();
    const { sent, skipped, rejected, bytes, seconds } = result;
    context.print(
      result,
      () =>
        `sent ${counted(sent, 'image')} (${formatBytes(bytes)}) in ${seconds.toFixed(1)} s; ${skipped} were known, ${rejected} rejected`,
    );
  } catch (error) {
    // Told to stop while something was away: what was not acknowledged is sent by the next run.
    if (!(signal.aborted && isRetryable(error))) throw error;
    context.log.info(`stopped while waiting: ${errorMessage(error)}`);
  }
}

/** A fault is known, and logged, at the first failure: `watch` itself tries again. */
const storePatience = { requestTimeoutMs: 10_000, attempts: 1 };

async function feedMetrics({ registry }: ProcessMetrics) {
  const { watchMetrics } = await import('../../lib/observe/metrics/senders.ts');
  return watchMetrics(registry);
}

interface WatchLog extends Disposable {
  hear(event: WatchEvent): void;
}

/** How often the log says how many images were sent, in milliseconds. */
const sayEvery = 5000;

function watchLog({ json, log }: Context): WatchLog {
  let sent = 0;
  const say = () => {
    if (sent > 0) log.info({ sent }, 'sent');
    sent = 0;
  };
  const timer = setInterval(say, sayEvery).unref();
  return {
    hear(event) {
      if (json) process.stdout.write(`${jsonText(event)}\n`);
      switch (event.kind) {
        case 'watching':
          log.info({ dir: event.dir }, 'watching');
          break;
        case 'sent':
          sent++;
          log.debug({ imageKey: event.key, bytes: event.bytes, replaced: event.replaced }, 'sent');
          break;
        case 'skipped':
          log.debug({ imageKey: event.key }, 'known already');
          break;
        case 'rejected':
          log.warn({ path: event.path }, `rejected: ${event.reason}`);
          break;
        case 'deleted':
          log.debug({ path: event.path }, 'deleted');
          break;
        case 'waiting':
          log.warn(`waiting: ${event.reason}`);
          break;
        case 'problem':
          log.error(event.reason);
          break;
      }
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      say();
    },
  };
}
