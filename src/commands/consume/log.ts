/** What `consume` logs: what happens to its partitions, and every minute how far they have come; a message only at debug. */
import type { Logger } from 'pino';
import { counted } from '../../lib/base/report/table.ts';
import type { ConsumeEvent, RecordedEvent } from '../../lib/pipeline/consume/options.ts';
import { driftOverSentence, driftSentence } from '../../lib/pipeline/drift/sentence.ts';
import { noServers, type Servers } from '../../lib/pipeline/server-watch.ts';
import type { Context } from '../shared/run.ts';
import { ServiceProgress, Waiting } from '../shared/service-log.ts';

/** How often dead letters are counted in a line, in milliseconds. */
const sayEvery = 5000;

const published = { result: 'results', dead: 'dead letters' };

export interface ConsumeLogOptions {
  servers: Servers;
  /** False while the topic is away. */
  lagKnown: () => boolean;
}

export function consumeLog(
  context: Context,
  { servers, lagKnown }: ConsumeLogOptions = { servers: noServers, lagKnown: () => true },
): (event: ConsumeEvent) => void {
  const { log, stoppedBy } = context;
  const lags = new Map<number, number>();
  const progress = new ServiceProgress(context, 'image', {
    word: 'lag',
    count: () => (lagKnown() ? [...lags.values()].reduce((sum, lag) => sum + lag, 0) : null),
  });
  const letters = new DeadLetterLog(log);
  const waits = new Map<string, Waiting>();
  const waitOf = (partition: number | null, what?: 'result' | 'dead'): Waiting => {
    const id = `${partition} ${what}`;
    const words = (lasted: string) =>
      `${published[what!]} are waiting to be published${lasted}, recording continues`;
    const wait =
      waits.get(id) ?? new Waiting(log.child({ partition }), what === undefined ? { servers } : { words });
    waits.set(id, wait);
    return wait;
  };
  return (event) => {
    const { partition } = event;
    switch (event.kind) {
      case 'standing by':
        log.info({ partition, holder: event.holder }, 'standing by: another consumer owns the partition');
        break;
      case 'owning':
        lags.set(event.partition, event.lag);
        log.info({ partition, epoch: event.epoch, from: event.from, lag: event.lag }, 'consuming');
        break;
      case 'recorded':
        lags.set(event.partition, event.lag);
        progress.add(event.predicted + event.deadLettered);
        if (log.isLevelEnabled('debug')) logRows(log, event);
        break;
      case 'dead letter':
        letters.hear(event);
        break;
      case 'waiting':
        waitOf(partition).for(event.reason, { opening: partition === null });
        break;
      case 'going on':
        waitOf(partition).over();
        break;
      case 'retrying':
        log.debug({ partition, stage: event.stage, code: event.code }, 'retrying');
        break;
      case 'lag':
        if (lags.has(event.partition)) lags.set(event.partition, event.lag);
        break;
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
      case 'drift': {
        const { drift, over } = event;
        if (over) log.info({ drift }, driftOverSentence(drift));
        else log.warn({ drift }, driftSentence(drift, new Date()));
        break;
      }
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
        waitOf(partition, event.what).for(event.reason);
        break;
      case 'publishing again':
        waitOf(partition, event.what)[Symbol.dispose]();
        log.info({ partition }, `${published[event.what]} are being published again`);
        break;
      case 'another topic':
        log.warn(
          { partition, position: event.position },
          'the topic was deleted and created again: reading it from its beginning',
        );
        break;
      case 'replaying':
        log.info({ partition, messages: event.messages }, 'reading messages again; existing results stay');
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
          'the previous owner did not release the partition: messages it may have been working on are processed one at a time',
        );
        break;
      case 'stalled':
        if (event.reason === null) log.info({ partition }, 'no longer stalled');
        else log.error({ partition }, event.reason);
        break;
      case 'lost':
        forget(event.partition);
        log.warn(
          { partition, epoch: event.epoch },
          'lost the partition to another consumer: recording nothing more for it here',
        );
        break;
      case 'released':
        forget(event.partition);
        letters.flush();
        log.info({ partition }, `${stopped(stoppedBy())}partition released`);
        break;
    }
  };

  function forget(partition: number): void {
    lags.delete(partition);
    for (const what of [undefined, 'result', 'dead']) waits.get(`${partition} ${what}`)?.[Symbol.dispose]();
  }
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
    this.#log.warn({ byCode: Object.fromEntries(this.#untold) }, counted(letters, 'more dead letter'));
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
