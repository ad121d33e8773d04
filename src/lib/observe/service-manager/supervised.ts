/** Keeps the service manager informed of a consumer: ready, how it fares, still alive, stopping. */
import type { ServiceSettings } from '../../config/service.ts';
import type { ConsumeEvent } from '../../pipeline/consume/deps.ts';
import { ConsumerStatus } from './consumer-status.ts';
import { Notifier } from './notifier.ts';

export interface Supervised extends AsyncDisposable {
  hear: (event: ConsumeEvent) => void;
}

export interface SupervisedOptions {
  /** Aborts when the consumer is told to stop. */
  signal: AbortSignal;
  onNotice: (text: string) => void;
  /** Ready before it owns anything or stands by: a group's member may be given nothing. */
  readyAtOnce: boolean;
}

/** How often the counts are told where no watchdog sets the pace, in milliseconds. */
const tellEveryMs = 10_000;

/**
 * READY once it consumes, stands by or waits for something that is away; WATCHDOG at half its time from the event loop,
 * so that a frozen one is ended. Does nothing where no service manager listens.
 */
export function supervised(service: ServiceSettings | undefined, options: SupervisedOptions): Supervised {
  if (service === undefined) return { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  const notifier = new Notifier(service, options.onNotice);
  const status = new ConsumerStatus();
  const ping: Record<string, string> = service.watchdogMs === undefined ? {} : { WATCHDOG: '1' };
  let ready = false;

  const tell = () => {
    const stopping = options.signal.aborted;
    notifier.send({
      STATUS: stopping ? `stopping: ${status.line()}` : status.line(),
      ...(stopping && { STOPPING: '1' }),
      ...ping,
    });
  };
  const becomeReady = () => {
    if (ready) return;
    ready = true;
    notifier.send({ READY: '1' });
  };
  const timer = setInterval(tell, service.watchdogMs === undefined ? tellEveryMs : service.watchdogMs / 2);
  timer.unref();
  options.signal.addEventListener('abort', tell, { once: true });
  if (options.readyAtOnce) {
    becomeReady();
    tell();
  }

  return {
    hear(event) {
      if (!status.see(event)) return;
      if (['owning', 'standing by', 'waiting'].includes(event.kind)) becomeReady();
      tell();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      options.signal.removeEventListener('abort', tell);
      await notifier.flushed();
    },
  };
}
