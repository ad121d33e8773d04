/** The built binary in a run: its settings, and command lines for `Supervised`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limits } from './poison.ts';
import type { Launch } from './supervised.ts';

const binary = fileURLToPath(new URL('../../bin/visionscale.js', import.meta.url));
const hostname = fileURLToPath(new URL('hostname.cjs', import.meta.url));

/** Nothing of the developer's own settings reaches the binary. */
export function settingsFor(stackEnv: Record<string, string>, dir: string): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(PATH|HOME|LANG|TMPDIR|VISIONSCALE_CI_RUN)$/.test(entry[0]),
  );
  return {
    ...Object.fromEntries(own),
    VISIONSCALE_MODELS: `${dir}/models`,
    VISIONSCALE_WORKERS: '1',
    VISIONSCALE_MAX_IMAGE_BYTES: `${limits.maxBytes}`,
    VISIONSCALE_MAX_IMAGE_PIXELS: `${limits.maxPixels}`,
    VISIONSCALE_IMAGE_TIMEOUT: `${limits.maxWorkMs}ms`,
    ...stackEnv,
  };
}

/** The command line of a life of a process that calls itself `host`. */
export function launch(args: string[], dir: string, env: Record<string, string>, host: string): Launch {
  return {
    command: process.execPath,
    args: ['--require', hostname, binary, ...args],
    cwd: dir,
    env: { ...env, VISIONSCALE_TEST_HOSTNAME: host },
  };
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  stopAfterMs?: number;
  killAfterMs?: number;
  /** Killed when it aborts. */
  kill?: AbortSignal;
}

/** Runs it to its end, asks it to stop after `stopAfterMs`, kills it after `killAfterMs`. */
export async function run(
  args: string[],
  dir: string,
  env: Record<string, string>,
  { stopAfterMs, killAfterMs, kill }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [binary, ...args], {
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(killAfterMs !== undefined && { timeout: killAfterMs }),
    ...(kill && { signal: kill }),
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  const stopping =
    stopAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), stopAfterMs);
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.on('error', () => undefined); // an abort is told as one; 'close' follows
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(stopping);
  return { code, stdout, stderr };
}

/** Throws with what it said where it does not end with 0. */
export async function runOrThrow(args: string[], dir: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await run(args, dir, env);
  if (code !== 0) throw new Error(`visionscale ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}
