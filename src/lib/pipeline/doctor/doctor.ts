/** The verb `doctor`: every dependency, server, permission, clock and model, each with ok or what to do. */
import { VisionscaleError, errorMessage } from '../../base/errors.ts';

export type CheckState = 'ok' | 'note' | 'warning' | 'failed';

export interface CheckResult {
  name: string;
  state: CheckState;
  detail: string;
  /** What to do. */
  hint?: string;
}

export interface Check {
  name: string;
  /** Returns a detail when all is well; throws, or returns a warning, when not. */
  run: () => Promise<string | { warning: string; hint?: string }>;
  /** A failed check that is not needed with these settings is a warning. */
  needed: boolean;
  /** What is good to have: where it fails and is not needed, that is a note. */
  optional?: boolean;
}

export interface DoctorResult {
  ok: boolean;
  checks: CheckResult[];
}

/** Runs the checks one after the other; `report` hears each as it ends. */
export async function doctor(
  checks: readonly Check[],
  report: (result: CheckResult) => void,
): Promise<DoctorResult> {
  const results: CheckResult[] = [];
  const told = new Set<unknown>();
  for (const check of checks) {
    const result = await runCheck(check, told);
    results.push(result);
    report(result);
  }
  return { ok: results.every((result) => result.state !== 'failed'), checks: results };
}

/** A fault that several checks run into is told once. */
async function runCheck(check: Check, told: Set<unknown>): Promise<CheckResult> {
  try {
    const found = await check.run();
    if (typeof found === 'string') return { name: check.name, state: 'ok', detail: found };
    const hint = found.hint === undefined ? {} : { hint: found.hint };
    return { name: check.name, state: 'warning', detail: found.warning, ...hint };
  } catch (error) {
    // What this role may not look at is no fault of it.
    const isDenied = error instanceof VisionscaleError && error.code === 'database_permission_denied';
    const state = check.needed ? 'failed' : check.optional || isDenied ? 'note' : 'warning';
    if (told.has(error)) return { name: check.name, state, detail: 'not checked: see above' };
    told.add(error);
    const hint = error instanceof VisionscaleError && error.hint !== undefined ? { hint: error.hint } : {};
    return {
      name: check.name,
      state,
      detail: errorMessage(error),
      ...hint,
    };
  }
}

/** Opens each thing at most once, and closes all of them in reverse order. */
export class Opened implements AsyncDisposable {
  readonly #resources: Promise<AsyncDisposable>[] = [];

  /** The same promise at every call, so that a failure is told once a check and nothing is opened twice. */
  once<T extends AsyncDisposable>(open: () => Promise<T>): () => Promise<T> {
    let opening: Promise<T> | undefined;
    return () => {
      if (!opening) {
        opening = open();
        this.#resources.push(opening);
      }
      return opening;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources.reverse()) {
      const opened = await resource.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    }
  }
}
