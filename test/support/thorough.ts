/** What takes long and proves what other suites touch too: run in CI, and where VISIONSCALE_TEST_THOROUGH=1 asks for it. */
import { describe, it } from 'vitest';

export const thorough = Boolean(process.env['CI']) || process.env['VISIONSCALE_TEST_THOROUGH'] === '1';

/** A name, with the reason where it is skipped. */
export const thoroughTitle = (name: string) =>
  thorough ? name : `${name} [skipped: VISIONSCALE_TEST_THOROUGH=1 runs it, as CI does]`;

/** A suite; elsewhere it is skipped by name. */
export function describeThorough(name: string, run: () => void): void {
  describe.runIf(thorough)(thoroughTitle(name), run);
}

/** A test; elsewhere it is skipped by name. */
export function itThorough(name: string, run: () => void | Promise<void>, timeout?: number): void {
  it.runIf(thorough)(thoroughTitle(name), run, timeout);
}

/** How many random cases a property is held against: a tenth of `all` in a plain run. */
export const numRuns = (all: number) => (thorough ? all : Math.ceil(all / 10));
