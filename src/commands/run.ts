/** What every command has in common: settings, signals, output, and how it ends. */
import type { Command } from 'commander';
import type { Logger } from 'pino';
import type { ComposeOptions } from '../compose.ts';
import type { Environment } from '../lib/config/load.ts';
import { settings, type SettingName } from '../lib/config/settings.ts';
import { errorMessage, UsageError, VisionscaleError } from '../lib/errors.ts';

export interface Context extends ComposeOptions {
  /** The settings in force by the name of their variable: what a child process is given. */
  env: Environment;
  json: boolean;
  /** Whether a person is watching stderr. */
  interactive: boolean;
  log: Logger;
  /** Aborts at the first SIGINT or SIGTERM. */
  signal: AbortSignal;
  /** A plain line for the person who waits, on stderr. Services log instead. */
  say: (text: string) => void;
  /** The result: the JSON document with --json, else the text. */
  print: (document: unknown, text: () => string) => void;
}

/** Adds the flags of these settings, and --json. */
export function withSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const setting = settings.find((s) => s.env === name)!;
    if (!('flag' in setting)) continue;
    const value = 'value' in setting ? ` <${setting.value}>` : '';
    command.option(`${setting.flag}${value}`, setting.description);
  }
  return command.option('--json', 'print one JSON document on stdout and nothing else there');
}

export const infrastructure = [
  'VISIONSCALE_DATA_DIR',
  'VISIONSCALE_STORE',
  'KAFKA_BROKERS',
  'KAFKA_TOPIC',
  'VISIONSCALE_PIPELINE',
  'VISIONSCALE_LOG_LEVEL',
] as const satisfies readonly SettingName[];

export const modelSettings = [
  'VISIONSCALE_MODEL',
  'VISIONSCALE_ENGINE',
  'VISIONSCALE_DEVICE',
  'VISIONSCALE_WORKERS',
  'VISIONSCALE_AUTO_ORIENT',
  'VISIONSCALE_PREPROCESS',
] as const satisfies readonly SettingName[];

/** A command's action: a module of its own, so that its imports are loaded only when it runs. */
export interface Action<Arguments extends unknown[]> {
  default: (context: Context, ...args: Arguments) => Promise<number | void>;
}

/** Runs an action; what it returns becomes the exit code. A user's mistake never shows a stack. */
export async function run<Arguments extends unknown[]>(
  command: Command,
  load: () => Promise<Action<Arguments>>,
  ...args: Arguments
): Promise<void> {
  const interruption = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    // The second one means now.
    if (interruption.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    interruption.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const [context, action] = await Promise.all([openContext(command, interruption.signal), load()]);
    process.exitCode = (await action.default(context, ...args)) ?? 0;
  } catch (error) {
    tellError(error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function openContext(command: Command, signal: AbortSignal): Promise<Context> {
  const [dotenv, { loadConfig }, { openLog }] = await Promise.all([
    import('dotenv'),
    import('../lib/config/load.ts'),
    import('../lib/log.ts'),
  ]);
  // The one place that reads the environment. The S3 SDK reads AWS_* from it by itself, so `.env` goes into it.
  dotenv.config({ quiet: true });
  const env = { ...process.env, ...settingsFromFlags(command) };
  const config = loadConfig(env);
  const interactive = process.stderr.isTTY === true;
  const log = openLog(config.logLevel, interactive);
  const json = command.opts<{ json?: boolean }>().json === true;
  return {
    config,
    env,
    json,
    interactive,
    log,
    signal,
    onNotice: (text) => log.info(text),
    say: (text) => void process.stderr.write(`${text}\n`),
    print: (document, text) => void process.stdout.write(`${json ? JSON.stringify(document) : text()}\n`),
  };
}

function settingsFromFlags(command: Command): Record<string, string> {
  const given: Record<string, string> = {};
  for (const setting of settings) {
    if (!('flag' in setting)) continue;
    const option = command.options.find((o) => o.long === setting.flag);
    if (!option || command.getOptionValueSource(option.attributeName()) !== 'cli') continue;
    given[setting.env] = String(command.getOptionValue(option.attributeName()));
  }
  return given;
}

/** Message and hint for what was expected; for the rest, where it happened too, since that is ours to mend. */
export function tellError(error: unknown): void {
  if (error instanceof VisionscaleError) {
    process.stderr.write(`visionscale: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`${error.hint.replaceAll(/^/gm, '  ')}\n`);
    return;
  }
  process.stderr.write(`visionscale: unexpected error: ${errorMessage(error)}\n`);
  if (error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
}
