/** What `consume` does: owns partitions until it is told to stop, and logs what happens. */
import { hostname } from 'node:os';
import { openClassifier, openDatabase, openStore, openTopic, ownerName } from '../../compose.ts';
import { consume, type ConsumeEvent, type Share } from '../../lib/consume.ts';
import type { Context } from '../run.ts';

export interface ConsumeFlags {
  partition?: number;
  group?: boolean;
  untilDrained?: boolean;
  whileStdin?: boolean;
}

export default async function (context: Context, options: ConsumeFlags): Promise<void> {
  const { config } = context;
  const signal = options.whileStdin ? AbortSignal.any([context.signal, stdinEnd()]) : context.signal;
  // Opened side by side: the model warms up while the database is reached.
  await using classifier = await openClassifier(context);
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  await using store = await openStore(context);
  const result = await consume(
    { pool: database.pool, topic, store, classifier, report: reporter(context) },
    {
      pipeline: config.pipeline,
      owner: ownerName(),
      hostname: hostname(),
      maxImageBytes: config.limits.maxBytes,
      untilDrained: options.untilDrained === true,
      signal,
    },
    shareOf(options, config.partition),
  );
  context.print(
    result,
    () =>
      `${result.predicted} predictions, ${result.deadLettered} dead letters in ${result.seconds.toFixed(1)} s (${result.imagesPerSecond.toFixed(1)} images/s)`,
  );
}

function shareOf(options: ConsumeFlags, configured: number | undefined): Share {
  if (options.group) return { kind: 'group' };
  const partition = options.partition ?? configured;
  return partition === undefined ? { kind: 'any' } : { kind: 'partition', partition };
}

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

/** Aborts when whoever holds the other end of standard input is gone, however it ended. */
function stdinEnd(): AbortSignal {
  const ended = new AbortController();
  process.stdin.on('end', () => ended.abort()).on('error', () => ended.abort());
  process.stdin.resume();
  process.stdin.unref?.();
  return ended.signal;
}
