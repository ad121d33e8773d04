/** Keeps the service manager informed of a consumer: ready, how it fares, still alive, stopping. */
import { execFile } from 'node:child_process';
import { errorMessage } from '../../base/errors.ts';
import type { ServiceSettings } from '../../config/environment.ts';
import type { ConsumeEvent } from '../../pipeline/consume/options.ts';
import type { Servers } from '../../pipeline/server-watch.ts';
import { ConsumerStatus } from './consumer-status.ts';

export interface Supervised extends AsyncDisposable {
  hear: (event: ConsumeEvent) => void;
}

export interface SupervisedOptions {
  /** Aborts when the consumer is told to stop. */
  signal: AbortSignal;
  onNotice: (text: string) => void;
  /** Ready before it owns anything or stands by: a group's member may be given nothing. */
  readyAtOnce: boolean;
  servers: Servers;
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
  const status = new ConsumerStatus(options.servers);
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

/** Longest that one run of the program may take, in milliseconds. It waits up to 5 s for systemd by itself. */
const mostMs = 6000;

/**
 * Sends states to systemd through its program `systemd-notify`: Node opens no datagram socket of the kind it listens on.
 * One run at a time; what comes meanwhile is sent with the next, the newest value of each name. Faults are told once
 * and never thrown: a consumer works on whether or not anybody listens.
 */
export class Notifier {
  readonly #service: ServiceSettings;
  readonly #onNotice: (text: string) => void;
  readonly #pending = new Map<string, string>();
  #sending: Promise<void> | undefined;
  #absent = false;
  #told = false;

  constructor(service: ServiceSettings, onNotice: (text: string) => void) {
    this.#service = service;
    this.#onNotice = onNotice;
  }

  /** Names as in sd_notify(3), such as READY and STATUS. */
  send(states: Readonly<Record<string, string>>): void {
    if (this.#absent) return;
    for (const [name, value] of Object.entries(states)) this.#pending.set(name, oneLine(value));
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  /** When everything so far is sent or given up. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#pending.size > 0 && !this.#absent) {
      const states = new Map(this.#pending);
      this.#pending.clear();
      const fault = await this.#run([...states].map(([name, value]) => `${name}=${value}`));
      if (fault === undefined) continue;
      this.#absent = fault.code === 'ENOENT';
      this.#tell(
        this.#absent
          ? 'systemd-notify is not installed: the service manager gets no status from this process'
          : `systemd-notify failed: ${errorMessage(fault)}`,
      );
      // With the next send; a ping that did not come through is worth nothing later.
      states.delete('WATCHDOG');
      for (const [name, value] of states) if (!this.#pending.has(name)) this.#pending.set(name, value);
      return;
    }
  }

  #run(words: string[]): Promise<NodeJS.ErrnoException | undefined> {
    const { socket, path } = this.#service;
    const env = { NOTIFY_SOCKET: socket, ...(path !== undefined && { PATH: path }) };
    return new Promise((resolve) => {
      execFile('systemd-notify', words, { env, timeout: mostMs, killSignal: 'SIGKILL' }, (error) =>
        resolve((error as NodeJS.ErrnoException | null) ?? undefined),
      );
    });
  }

  #tell(text: string): void {
    if (this.#told) return;
    this.#told = true;
    this.#onNotice(text);
  }
}

/** States are lines of their own, and short ones. */
function oneLine(value: string): string {
  return value.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 400);
}
