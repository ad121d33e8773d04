/** What `produce` tells while it runs: a bar for a person who waits, a log where it follows. */
import { Progress } from '../../lib/base/report/progress.ts';
import type { ProduceEvent } from '../../lib/pipeline/produce.ts';
import type { Context } from '../shared/run.ts';

export interface ProduceLog extends Disposable {
  hear(event: ProduceEvent): void;
}

/** How often the log says how many keys were sent, in milliseconds. */
const sayEvery = 5000;

export function progressBar({ interactive, say }: Context): ProduceLog {
  const progress = new Progress({ label: 'produce', unit: 'keys', interactive, line: say });
  return {
    hear(event) {
      switch (event.kind) {
        case 'round':
          say(`${event.resumed ? 'finishing' : 'opened'} a round of ${event.images} images`);
          break;
        case 'pending':
          progress.expect(event.images);
          break;
        case 'waiting':
          say(`waiting: ${event.reason}`);
          break;
        case 'produced':
          progress.advance(event.images);
          break;
        case 'topic':
        case 'following':
          break;
      }
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}

/** A line a key only at debug. */
export function followLog({ log }: Context): ProduceLog {
  let unsaid = 0;
  const say = () => {
    if (unsaid > 0) log.info({ produced: unsaid }, 'produced');
    unsaid = 0;
  };
  const timer = setInterval(say, sayEvery).unref();
  return {
    hear(event) {
      switch (event.kind) {
        case 'round':
          log.info({ images: event.images }, event.resumed ? 'finishing a round' : 'opened a round');
          break;
        case 'waiting':
          log.warn(`waiting: ${event.reason}`);
          break;
        case 'produced':
          unsaid += event.images;
          log.debug({ images: event.images }, 'produced');
          break;
        case 'following':
          say();
          log.info('following: keys of images that are inserted are sent');
          break;
        case 'topic':
        case 'pending':
          break;
      }
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      say();
    },
  };
}
