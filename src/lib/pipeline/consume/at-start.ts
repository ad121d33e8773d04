/** Waits for what is away when a consumer starts, as it does later: a host may be up before its database. */
import { errorMessage, type VisionscaleError } from '../../base/errors.ts';
import { retry } from '../../base/flow/retry.ts';
import type { ConsumeEvent } from './deps.ts';

/** Runs a step until it succeeds, or fails for a reason that waiting does not mend; a reason is told once, with its hint. */
export type AtStart = <T>(step: () => Promise<T>) => Promise<T>;

export function atStart(signal: AbortSignal, report: (event: ConsumeEvent) => void): AtStart {
  let told: string | undefined;
  return (step) =>
    retry(step, {
      signal,
      onWait: (error) => {
        const { hint } = error as VisionscaleError;
        const reason = `${errorMessage(error)}${hint === undefined ? '' : ` (${hint.replaceAll('\n', ' ')})`}`;
        if (reason === told) return;
        told = reason;
        report({ kind: 'waiting', partition: null, reason });
      },
    });
}
