/** What `watch` tells: lines of JSON on stdout with --json, and a log that has a line an image only at debug. */
import type { WatchEvent } from '../../lib/pipeline/watch/watch.ts';
import { jsonText } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';

export interface WatchLog extends Disposable {
  hear(event: WatchEvent): void;
}

/** How often the log says how many images were sent, in milliseconds. */
const sayEvery = 5000;

export function watchLog({ json, log }: Context): WatchLog {
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
