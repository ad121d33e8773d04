/** Whether a process lives and is ready for its work, as probes and load balancers ask for it. */
import type { ConsumeEvent } from '../../pipeline/consume/deps.ts';
import { ConsumerStatus } from '../service-manager/consumer-status.ts';

export interface Health {
  /** False: start it anew. */
  alive: boolean;
  /** False: it waits for something, or is about to stop. */
  ready: boolean;
  /** One line for people. */
  detail: string;
}

export interface ConsumerHealth {
  see: (event: ConsumeEvent) => void;
  health: () => Health;
}

/** `signal` tells the consumer to stop; `ready` is for the member of a group, which may be given nothing. */
export function consumerHealth(signal: AbortSignal, ready: boolean): ConsumerHealth {
  const status = new ConsumerStatus();
  let stalled = false;
  return {
    see(event) {
      status.see(event);
      if (event.kind === 'stalled') stalled = event.reason !== null;
    },
    health: () => ({
      alive: !stalled,
      ready: !signal.aborted && status.isReady(ready),
      detail: signal.aborted ? `stopping: ${status.line()}` : status.line(),
    }),
  };
}
