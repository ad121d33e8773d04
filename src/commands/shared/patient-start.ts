/** How a service begins: what is away when it starts is waited for, as it is later. */
import { errorMessage, type VisionscaleError } from '../../lib/base/errors.ts';
import { retry } from '../../lib/base/flow/retry.ts';
import type { Context } from './run.ts';

/** Runs a step until it succeeds or fails for a reason that waiting does not mend; a reason is logged once. */
export function patientStart({ signal, log }: Context): <T>(step: () => Promise<T>) => Promise<T> {
  let told: string | undefined;
  return (step) =>
    retry(step, {
      signal,
      onWait: (error) => {
        const reason = errorMessage(error);
        if (reason === told) return;
        told = reason;
        log.warn({ hint: (error as VisionscaleError).hint }, `waiting: ${reason}`);
      },
    });
}
