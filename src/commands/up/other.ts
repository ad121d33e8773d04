/** What `up --print-env`, `up --stop` and a second `up` do: they deal with the one that runs. */
import { VisionscaleError } from '../../lib/base/errors.ts';
import { pause } from '../../lib/base/flow/waiting.ts';
import { findUp, type FoundUp } from '../../lib/local/up/place.ts';
import { exportLines, missingSecrets, settingsFor } from '../../lib/local/up/settings.ts';
import { dataDirFlag } from '../shared/on-this-machine.ts';
import type { Context } from '../shared/run.ts';

/** Longest wait for one that is starting, and for one that drains, in milliseconds. */
const startMs = 60_000;
const drainMs = 30_000;
const pollMs = 50;

export async function printEnv(context: Context): Promise<number> {
  const { config, env, say } = context;
  const found = await until(
    () => findUp(config.dataDir),
    (up) => up === null || up.state !== null,
    startMs,
    context,
  );
  if (found === null) throw notUp(config.dataDir);
  if (found.state === null) {
    throw new VisionscaleError(`visionscale up is still starting in ${config.dataDir}`, {
      code: 'starting',
      retryable: true,
      hint: `It is process ${found.pid}; its terminal says what it waits for.`,
    });
  }
  const set = settingsFor(found.state, env);
  context.print(set, () => exportLines(set));
  const missing = missingSecrets(found.state, env);
  if (missing.length > 0) say(`secrets are not printed: set ${missing.join(', ')} in this terminal too`);
  return 0;
}

/** The first signal drains; whoever wants it at once sends another. */
export async function stopIt(context: Context): Promise<number> {
  const { dataDir } = context.config;
  const found = await findUp(dataDir);
  if (found === null) {
    context.print({ stopped: false }, () => `nothing is running in ${dataDir}`);
    return 0;
  }
  if (found.elsewhere) {
    throw new VisionscaleError(
      `visionscale up is running in ${dataDir}, but on another host or in another container`,
      {
        code: 'up_elsewhere',
        hint: 'Stop it there.',
      },
    );
  }
  process.kill(found.pid, 'SIGTERM');
  const left = await until(
    () => findUp(dataDir),
    (up) => up?.pid !== found.pid,
    drainMs,
    context,
  );
  if (left?.pid === found.pid) {
    throw new VisionscaleError(`process ${found.pid} is still draining after ${drainMs / 1000} s`, {
      code: 'still_up',
      hint: `To stop it at once: kill ${found.pid}`,
    });
  }
  context.print({ stopped: true, pid: found.pid }, () => `stopped visionscale up in ${dataDir}`);
  return 0;
}

/** A second one would have other settings than the first: nothing is taken over. */
export function isUpAlready(context: Context, found: FoundUp | null): VisionscaleError {
  const { dataDir } = context.config;
  const process = found === null ? '' : ` (process ${found.pid})`;
  const server = found?.state?.server ? `: ${found.state.server}` : '';
  const flag = dataDirFlag(context);
  return new VisionscaleError(`visionscale up is already running in ${dataDir}${process}${server}`, {
    code: 'up_already',
    hint:
      `To stop it: visionscale up --stop${flag}\n` +
      `To use it from this terminal: eval "$(visionscale up --print-env${flag})"\n` +
      'To start another: visionscale up --data-dir <dir>',
  });
}

export function demoRuns(dataDir: string, pid: number): VisionscaleError {
  return new VisionscaleError(`a demo is running in ${dataDir} (process ${pid})`, {
    code: 'demo_running',
    retryable: true,
    hint: 'Wait until it ends, or use another --data-dir.',
  });
}

function notUp(dataDir: string): VisionscaleError {
  return new VisionscaleError(`nothing is running in ${dataDir}`, {
    code: 'not_up',
    hint: 'Start it in another terminal: visionscale up (with the same --data-dir).',
  });
}

/** Looks again and again; what it saw last when it has had enough, or is interrupted. */
async function until<T>(
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
  ms: number,
  { signal }: Context,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (isEnough(seen) || performance.now() > deadline || signal.aborted) return seen;
    await pause(pollMs, signal);
  }
}
