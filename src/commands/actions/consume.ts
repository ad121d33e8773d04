/** What `consume` does: owns partitions until it is told to stop, and logs what happens. */
import { hostname } from 'node:os';
import { openClassifier, openDatabase, openStore, openTopic, ownerName } from '../../compose.ts';
import { SwitchingClassifier } from '../../lib/classifier/switching.ts';
import { consume, type ConsumeEvent, type Share } from '../../lib/consume.ts';
import { followModel } from '../../lib/consume/follow-model.ts';
import { ensureModel } from '../../lib/models/offer.ts';
import { loadByDigest, loadPipelineModel } from '../../lib/models/pipeline-model.ts';
import { openModelStore } from '../../lib/models/store.ts';
import { supervised } from '../../lib/service-manager/supervised.ts';
import type { Context } from '../run.ts';

export interface ConsumeFlags {
  partition?: number;
  group?: boolean;
  untilDrained?: boolean;
  skipExpired?: boolean;
}

export default async function (context: Context, options: ConsumeFlags): Promise<void> {
  const { config, log } = context;
  const { service, signal, onNotice } = context;
  const readyAtOnce = options.group === true;
  await using supervisor = supervised(service, { signal, onNotice, readyAtOnce });
  await using database = await openDatabase(context, 'ready', { queryTimeoutMs });
  await using topic = await openTopic(context, database);
  await using store = await openStore(context, storePatience);
  const models = openModelStore(config.models);
  const published = { pool: database.pool, store };
  // A model that the settings name is pinned; else the pipeline's row decides, and the consumer follows it.
  const pinned = config.model !== undefined;
  const chosen = pinned ? null : await loadPipelineModel(published, models, config.pipeline);
  if (chosen === null) await ensureModel(context);
  await using classifier = new SwitchingClassifier(await openClassifier(context, chosen ?? undefined));
  let modelProblem: string | null = null;
  const stopFollowing = new AbortController();
  const following = pinned
    ? Promise.resolve()
    : followModel(
        {
          pool: database.pool,
          classifier,
          open: async (digest) => openClassifier(context, await loadByDigest(published, models, digest)),
          report(event) {
            if (event.kind === 'switched') {
              modelProblem = null;
              log.info({ digest: event.digest }, `now runs ${event.model} ${event.version}`);
            } else {
              const { name, version } = classifier.model;
              modelProblem = `the active model cannot be used: ${event.reason}`;
              log.error({ digest: event.digest }, `${modelProblem}; goes on with ${name} ${version}`);
            }
          },
        },
        config.pipeline,
        AbortSignal.any([context.signal, stopFollowing.signal]),
      );
  try {
    const result = await consume(
      {
        pool: database.pool,
        topic,
        store,
        classifier,
        modelProblem: () => modelProblem,
        report: both(reporter(context), supervisor.hear),
      },
      {
        pipeline: config.pipeline,
        owner: ownerName(),
        hostname: hostname(),
        maxImageBytes: config.limits.maxBytes,
        imageMemoryBytes: config.imageMemoryBytes,
        ...config.endurance,
        untilDrained: options.untilDrained === true,
        skipExpired: options.skipExpired === true,
        signal: context.signal,
      },
      shareOf(options, config.partition),
    );
    context.print(
      result,
      () =>
        `${result.predicted} predictions, ${result.deadLettered} dead letters in ${result.seconds.toFixed(1)} s (${result.imagesPerSecond.toFixed(1)} images/s)`,
    );
  } finally {
    stopFollowing.abort();
    await following;
  }
}

/** A fault is known, and shown, at the first failure: the consumer itself tries again. */
const storePatience = { requestTimeoutMs: 10_000, attempts: 1 };
/** A connection that has gone silent is given up after this, in milliseconds; the kernel would wait for hours. */
const queryTimeoutMs = 15_000;

function shareOf(options: ConsumeFlags, configured: number | undefined): Share {
  if (options.group) return { kind: 'group' };
  const partition = options.partition ?? configured;
  return partition === undefined ? { kind: 'any' } : { kind: 'partition', partition };
}

function both<T>(first: (event: T) => void, second: (event: T) => void): (event: T) => void {
  return (event) => {
    first(event);
    second(event);
  };
}

/** How long a stalled process may take to end in good order, in milliseconds. */
const exitMs = 5000;
/** How often the log says how far a partition has come, in milliseconds. */
const sayEvery = 5000;

function reporter({ log }: Context): (event: ConsumeEvent) => void {
  const counts = new Map<number, { predicted: number; said: number }>();
  return (event) => {
    const { partition } = event;
    switch (event.kind) {
      case 'standing by':
        log.info({ partition, holder: event.holder }, 'standing by: the partition is owned');
        break;
      case 'owning':
        log.info({ partition, epoch: event.epoch, from: event.from, lag: event.lag }, 'consuming');
        break;
      case 'recorded': {
        const count = counts.get(event.partition) ?? { predicted: 0, said: performance.now() };
        counts.set(event.partition, count);
        count.predicted += event.predicted;
        log.debug(
          { partition, predicted: event.predicted, deadLettered: event.deadLettered, lag: event.lag },
          'recorded',
        );
        if (performance.now() - count.said < sayEvery) break;
        count.said = performance.now();
        log.info({ partition, predicted: count.predicted, lag: event.lag }, 'going on');
        break;
      }
      case 'dead letter':
        log.warn(
          { partition, offset: event.offset, imageKey: event.imageKey, code: event.code },
          `dead letter: ${event.message}`,
        );
        break;
      case 'waiting':
        log.warn({ partition }, `waiting: ${event.reason}`);
        break;
      case 'going on':
        log.info({ partition }, 'going on');
        break;
      case 'commit failed':
        log.warn(
          { partition },
          `offset not committed to the topic (the database's position counts): ${event.reason}`,
        );
        break;
      case 'another topic':
        log.warn(
          { partition, position: event.position },
          'the topic was deleted and created again: reading it from its beginning',
        );
        break;
      case 'skipped expired':
        log.warn(
          { partition, records: event.records },
          'skipped messages that were deleted before they were read',
        );
        break;
      case 'careful':
        log.warn(
          { partition, messages: event.messages },
          'the former owner ended without giving the partition back: what it may have worked on is taken one at a time',
        );
        break;
      case 'stalled':
        if (event.reason === null) log.info({ partition }, 'it moves again');
        else log.error({ partition }, event.reason);
        break;
      case 'giving up':
        // Whatever hangs may keep this process from closing what it opened.
        setTimeout(() => process.exit(1), exitMs).unref();
        break;
      case 'lost':
        log.warn(
          { partition, epoch: event.epoch },
          'the partition has another owner now; nothing more is recorded for it here',
        );
        break;
      case 'released':
        log.info({ partition }, 'released');
        break;
    }
  };
}
