/** What `consume` logs: what happens to its partitions, and now and then how far they have come; a message only at debug. */
import type { Logger } from 'pino';
import type { ConsumeEvent, RecordedEvent } from '../../lib/pipeline/consume/options.ts';
import { noServers, type Servers } from '../../lib/pipeline/server-watch.ts';
import type { Context } from '../shared/run.ts';

/** How often the log says how far a partition has come, or what it waits for, in milliseconds. */
const sayEvery = 5000;

const published = { result: 'results', dead: 'dead letters' };

/** `servers`: who is away has lines of its own, and nothing that waits for them needs others. */
export function consumeLog(
  { log, stoppedBy }: Context,
  servers: Servers = noServers,
): (event: ConsumeEvent) => void {
  const counts = new Map<number, { predicted: number; said: number }>();
  const letters = new DeadLetterLog(log);
  /** When the log last said what a partition waits for, and whether it has not said since that it goes on. */
  const waits = new Map<number | null, { said: number; open: boolean }>();
  return (event) => {
    const { partition } = event;
    switch (event.kind) {
      case 'standing by':
        log.info({ partition, holder: event.holder }, 'standing by: another consumer owns the partition');
        break;
      case 'owning':
        log.info({ partition, epoch: event.epoch, from: event.from, lag: event.lag }, 'consuming');
        break;
      case 'recorded': {
        const count = counts.get(event.partition) ?? { predicted: 0, said: performance.now() };
        counts.set(event.partition, count);
        count.predicted += event.predicted;
        if (log.isLevelEnabled('debug')) logRows(log, event);
        if (performance.now() - count.said < sayEvery) break;
        count.said = performance.now();
        log.info({ partition, predicted: count.predicted, lag: event.lag }, 'progress');
        break;
      }
      case 'dead letter':
        letters.hear(event);
        break;
      case 'waiting': {
        // Where every image is refused the reason names another one each time.
        const isNews =
          (partition === null || servers.away.length === 0) &&
          performance.now() - (waits.get(partition)?.said ?? -Infinity) >= sayEvery;
        log[isNews ? 'warn' : 'debug']({ partition }, `waiting: ${event.reason}`);
        if (isNews) waits.set(partition, { said: performance.now(), open: true });
        break;
      }
      case 'going on': {
        const told = waits.get(partition);
        log[told?.open ? 'info' : 'debug']({ partition }, 'resumed');
        if (told) told.open = false;
        break;
      }
      case 'retrying':
        log.debug({ partition, stage: event.stage, code: event.code }, 'retrying');
        break;
      case 'lag':
      case 'partitions':
      case 'giving up':
        break;
      case 'commit failed':
        log.warn(
          { partition },
          `offset not committed to the topic (the database's position counts): ${event.reason}`,
        );
        break;
      case 'bins':
        if (event.version === null) log.info('no bins are in use');
        else log.info({ version: event.version }, `bins version ${event.version} is in use`);
        break;
      case 'published':
        log.debug({ partition, what: event.what, messages: event.messages }, 'published');
        break;
      case 'not published':
        if (event.refused !== undefined) {
          log.warn(
            { partition, refused: event.refused },
            `${event.refused} ${published[event.what]} cannot be published, and are kept in the table outbox: ${event.reason}`,
          );
          break;
        }
        log.warn(
          { partition },
          `${published[event.what]} are waiting to be published, recording continues: ${event.reason}`,
        );
        break;
      case 'publishing again':
        log.info({ partition }, `${published[event.what]} are published again`);
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
      case 'passed over':
        log.warn(
          { partition, from: event.from, to: event.to },
          'skipped messages that were moved into dead letters by hand',
        );
        break;
      case 'careful':
        log.warn(
          { partition, messages: event.messages },
          'the former owner did not release the partition: messages that it may have been working on are taken one at a time',
        );
        break;
      case 'stalled':
        if (event.reason === null) log.info({ partition }, 'moving again');
        else log.error({ partition }, event.reason);
        break;
      case 'lost':
        log.warn(
          { partition, epoch: event.epoch },
          'the partition has another owner now; nothing more is recorded for it here',
        );
        break;
      case 'released':
        letters.flush();
        log.info({ partition }, `${stopped(stoppedBy())}partition released`);
        break;
    }
  };
}

function logRows(
  log: Logger,
  { partition, predictions, predicted, deadLettered, ignored, lag }: RecordedEvent,
): void {
  for (const { requestId, bin, latencyMs } of predictions) {
    log.debug({ partition, requestId, bin, latencyMs }, 'predicted');
  }
  log.debug({ partition, predicted, deadLettered, ignored, lag }, 'recorded');
}

type Letter = Extract<ConsumeEvent, { kind: 'dead letter' }>;

/** The first is told at once, what follows counted in a line now and then, each of them only at debug. */
class DeadLetterLog {
  readonly #log: Logger;
  readonly #untold = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  hear({ partition, offset, imageKey, code, message }: Letter): void {
    const first = this.#timer === undefined;
    this.#log[first ? 'warn' : 'debug']({ partition, offset, imageKey, code }, `dead letter: ${message}`);
    if (first) this.#timer = setTimeout(() => this.#tellAgain(), sayEvery).unref();
    else this.#untold.set(code, (this.#untold.get(code) ?? 0) + 1);
  }

  /** What has not been told yet. */
  flush(): void {
    if (this.#untold.size === 0) return;
    const letters = [...this.#untold.values()].reduce((a, b) => a + b);
    this.#log.warn({ byCode: Object.fromEntries(this.#untold) }, `${letters} more dead letters`);
    this.#untold.clear();
  }

  /** Goes on for as long as there are more. */
  #tellAgain(): void {
    const more = this.#untold.size > 0;
    this.flush();
    this.#timer = more ? setTimeout(() => this.#tellAgain(), sayEvery).unref() : undefined;
  }
}

function stopped(by: string | null): string {
  return by === null ? '' : `stopped by ${by}, `;
}
