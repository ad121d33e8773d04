/** What `consume` logs: what happens to its partitions, and now and then how far they have come. */
import type { ConsumeEvent } from '../../lib/consume/deps.ts';
import type { Context } from '../run.ts';

/** How long a stalled process may take to end in good order, in milliseconds. */
const exitMs = 5000;
/** How often the log says how far a partition has come, in milliseconds. */
const sayEvery = 5000;

export function reporter({ log }: Context): (event: ConsumeEvent) => void {
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
