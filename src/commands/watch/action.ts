/** What `watch` does: watches a folder until it is told to stop, and logs what it sends. */
import { openDatabase, openTopic } from '../../compose.ts';
import { errorMessage, isRetryable, UsageError } from '../../lib/base/errors.ts';
import { passedOverLine } from '../../lib/base/files/image-names.ts';
import { counted, formatBytes } from '../../lib/base/report/table.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import type { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { askDatabase, askStore, type Servers, type ServerWatch } from '../../lib/pipeline/server-watch.ts';
import { watch, type WatchEvent } from '../../lib/pipeline/watch/watch.ts';
import { imageTable } from '../../lib/systems/database/tables/images.ts';
import { jsonText } from '../shared/lines.ts';
import { showWaiting } from '../shared/metrics.ts';
import { patientStart, openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { watchServers, watchTopic } from '../shared/servers.ts';
import { ServiceProgress, Waiting } from '../shared/service-log.ts';

export interface WatchFlags {
  include: string[];
  exclude: string[];
  strict?: boolean;
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
): Promise<number> {
  const { config, signal } = context;
  const dir = given ?? config.imageDir;
  if (dir === undefined)
    throw new UsageError('watch needs a folder', 'visionscale watch <dir>, or set IMG_DIR');
  const servers = watchServers(context);
  using opening = new Waiting(context.log, { servers });
  const start = patientStart(context, opening);
  using log = watchLog(context, servers);
  await using metrics = await showWaiting(context, 'watch', servers, (shown) => feedMetrics(shown, servers));
  try {
    await using database = await start(() =>
      servers.opening('database', () => openDatabase(context, 'ready', { queryTimeoutMs })),
    );
    using _database = servers.watch('database', askDatabase(database));
    await using topic = await start(() => servers.opening('topic', () => openTopic(context, database)));
    await using store = await openReadyStore(context, storePatience);
    // The watcher makes the topic.
    using _topic = watchTopic(servers, topic, { existing: false });
    // Who only puts objects need not be allowed to list them.
    using _store = servers.watch('store', askStore(store, { listable: false }));
    await using looking = openImagesApart(config.limits, context.onNotice);
    const result = await watch(
      {
        pool: database.pool,
        topic,
        store,
        images: imageTable(database.pool),
        check: (bytes) => looking.check(bytes),
        report(event) {
          if (event.kind === 'waiting') servers.look();
          log.hear(event);
          metrics.hear(event);
        },
      },
      {
        dir,
        include: options.include,
        exclude: options.exclude,
        strict: options.strict === true,
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
    const passedOver = result.passedOver > 0 ? `\n${passedOverLine(result)}` : '';
    context.print(
      result,
      () =>
        `sent ${counted(sent, 'image')} (${formatBytes(bytes)}) in ${seconds.toFixed(1)} s; ${skipped} already known, ${rejected} rejected${passedOver}`,
    );
    return options.strict === true && rejected > 0 ? 1 : 0;
  } catch (error) {
    // Told to stop while something was away: what was not acknowledged is sent by the next run.
    if (!(signal.aborted && isRetryable(error))) throw error;
    context.log.info(`stopped while waiting: ${errorMessage(error)}`);
    return 0;
  }
}

/** A connection that has gone silent is given up after this, in milliseconds; the kernel would wait for hours. */
const queryTimeoutMs = 15_000;

/** A fault is known, and logged, at the first failure: `watch` itself tries again. */
const storePatience = { requestTimeoutMs: 10_000, attempts: 1 };

async function feedMetrics({ registry }: ProcessMetrics, servers: ServerWatch) {
  const { watchMetrics } = await import('../../lib/observe/metrics/senders.ts');
  return watchMetrics(registry, servers);
}

interface WatchLog extends Disposable {
  hear(event: WatchEvent): void;
}

function watchLog(context: Context, servers: Servers): WatchLog {
  const { json, log } = context;
  const waiting = new Waiting(log, { servers });
  const progress = new ServiceProgress(context, 'image');
  return {
    hear(event) {
      if (json) process.stdout.write(`${jsonText(event)}\n`);
      if (event.kind !== 'waiting') waiting.over();
      switch (event.kind) {
        case 'watching':
          log.info({ dir: event.dir }, 'watching');
          break;
        case 'sent':
          progress.add(1);
          log.debug({ imageKey: event.key, bytes: event.bytes, replaced: event.replaced }, 'sent');
          break;
        case 'skipped':
          log.debug({ imageKey: event.key }, 'already known');
          break;
        case 'rejected':
          log.warn({ path: event.path }, `rejected: ${event.reason}`);
          break;
        case 'passed over':
          log.debug({ path: event.path }, 'passed over: it is not an image by name');
          break;
        case 'deleted':
          log.debug({ path: event.path }, 'deleted');
          break;
        case 'waiting':
          waiting.for(event.reason);
          break;
        case 'problem':
          log.error(event.reason);
          break;
      }
    },
    [Symbol.dispose]() {
      waiting[Symbol.dispose]();
      progress[Symbol.dispose]();
    },
  };
}
