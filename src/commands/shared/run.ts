/** What every command has in common: settings, signals, output, and how it ends. */
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import type { Logger } from 'pino';
import type { ComposeOptions } from '../../compose.ts';
import { errorMessage, faultCode, UsageError, VisionscaleError } from '../../lib/base/errors.ts';
import type { Patience } from '../../lib/base/flow/retry.ts';
import { printableLines } from '../../lib/base/printable.ts';
import { writeAboveBars } from '../../lib/base/report/above-bars.ts';
import { shownOn, styled } from '../../lib/base/report/style.ts';
import { fitted, indented } from '../../lib/base/report/table.ts';
import { sourceStack } from '../../lib/base/source-stack.ts';
import { type ServiceSettings, takeServiceSettings } from '../../lib/config/environment.ts';
import type { Environment } from '../../lib/config/load.ts';
import { settings, type SettingName } from '../../lib/config/settings/settings.ts';
import type { RoleName } from '../../lib/systems/database/rights.ts';
import { common, pathOf } from './help.ts';
import { jsonText, tellJsonError } from './lines.ts';

export interface Context extends ComposeOptions {
  /** The settings in force by the name of their variable: what a child process is given. */
  env: Environment;
  /** Set where a service manager started this process and wants to hear from it. */
  service: ServiceSettings | undefined;
  json: boolean;
  /** --yes: what would be asked is agreed to. */
  yes: boolean;
  /** Whether a person is watching stderr. */
  interactive: boolean;
  log: Logger;
  /** Aborts at the first SIGINT or SIGTERM, or when its parent has gone. */
  signal: AbortSignal;
  /** What aborted it; null before. */
  stoppedBy: () => string | null;
  /** Stops the command as a signal does; it then fails with this. */
  giveUp: (error: VisionscaleError) => void;
  /** False where the process is another program's, which uses the library: it is never ended from here. */
  ownsProcess: boolean;
  /** A plain line for the person who waits, on stderr. Services log instead. */
  say: (text: string) => void;
  /** The result: the JSON document with --json, else the text. */
  print: (document: unknown, text: () => string) => void;
}

/** Adds --json and the flags of these settings; those that most commands have come last, as help lists them. */
export function withSettings(command: Command, names: readonly SettingName[]): Command {
  const flags = names.flatMap((name) => {
    const setting = settings.find(({ env }) => env === name)!;
    const { flag, value, description, flagDescription } = setting;
    if (flag === undefined) return [];
    const option = new Option(
      value === undefined ? flag : `${flag} <${value}>`,
      flagDescription ?? description,
    );
    return [{ option, isCommon: setting.common === true }];
  });
  for (const { option, isCommon } of flags) if (!isCommon) command.addOption(option);
  command.option('--json', 'Print one JSON document on stdout, and nothing else');
  for (const { option, isCommon } of flags) if (isCommon) command.addOption(common(option));
  return command;
}

/** For commands that offer the ImageNet model where none is chosen. */
export function offersModel(command: Command): Command {
  return command.option(
    '-y, --yes',
    'Download the ImageNet model (5 MB) without asking if no model is chosen',
  );
}

/** For commands that a parent starts: however it ends, they end with it. */
export function whileStdin(): Option {
  return new Option('--while-stdin', 'Stop when standard input ends, as when the parent process ends');
}

/** The SQL role whose rights a command needs; of all others it is the operator's. */
export const roles: Readonly<Record<string, RoleName>> = {
  upload: 'producer',
  produce: 'producer',
  watch: 'producer',
  serve: 'producer',
  consume: 'consumer',
  status: 'reader',
  doctor: 'reader',
  audit: 'reader',
  train: 'reader',
  results: 'reader',
  'results export': 'reader',
  'results accuracy': 'reader',
  'dead-letters list': 'reader',
  'dead-letters show': 'reader',
  'model history': 'reader',
  'bins list': 'reader',
  'bins show': 'reader',
  'bins history': 'reader',
  'bins try': 'reader',
  'bins check': 'reader',
};

/** What `status` and `doctor` look at, which never wait for it. */
export const servers = [
  'VISIONSCALE_DATA_DIR',
  'VISIONSCALE_STORE',
  'KAFKA_BROKERS',
  'KAFKA_TOPIC',
  'VISIONSCALE_PIPELINE',
  'VISIONSCALE_LOG_LEVEL',
] as const satisfies readonly SettingName[];

export const infrastructure = [
  ...servers,
  'VISIONSCALE_GIVE_UP_AFTER',
] as const satisfies readonly SettingName[];

export const modelSettings = [
  'VISIONSCALE_MODEL',
  'VISIONSCALE_MODELS',
  'VISIONSCALE_ENGINE',
  'VISIONSCALE_DEVICE',
  'VISIONSCALE_WORKERS',
  'VISIONSCALE_AUTO_ORIENT',
  'VISIONSCALE_PREPROCESS',
  'VISIONSCALE_IMAGE_TIMEOUT',
] as const satisfies readonly SettingName[];

export const metricsSettings = [
  'VISIONSCALE_METRICS_PORT',
  'VISIONSCALE_METRICS_HOST',
] as const satisfies readonly SettingName[];

export const consumeSettings = [
  'VISIONSCALE_DEADLINE',
  'VISIONSCALE_RESULTS_TOPIC',
  'VISIONSCALE_STALL_TIMEOUT',
  'VISIONSCALE_NOT_FOUND_GRACE',
  'VISIONSCALE_RETRY_IMAGE_FOR',
  'VISIONSCALE_BUCKETS',
  'VISIONSCALE_S3_EVENT_KEYS',
  'VISIONSCALE_MESSAGE_REQUESTS',
] as const satisfies readonly SettingName[];

/** A command's action, as a module: its imports are loaded only when it runs. */
export interface Action<Arguments extends unknown[]> {
  default: (context: Context, ...args: Arguments) => Promise<number | void>;
}

/** Runs an action; what it returns becomes the exit code. A user's mistake never shows a stack. */
export async function run<Arguments extends unknown[]>(
  command: Command,
  load: () => Promise<Action<Arguments>>,
  ...args: Arguments
): Promise<void> {
  const interruption = new Interruption();
  const onSignal = (name: NodeJS.Signals) => {
    if (interruption.stop(name)) return;
    // The second one means now: by the signal's own way, since exit handlers would run into inference threads.
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    process.kill(process.pid, name);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  if (command.opts<{ whileStdin?: boolean }>().whileStdin) stopWithStdin(interruption);
  try {
    const [context, action] = await Promise.all([openContext(command, interruption), load()]);
    const code = (await action.default(context, ...args)) ?? 0;
    if (interruption.failure !== null) throw interruption.failure;
    process.exitCode = code;
  } catch (caught) {
    const error =
      interruption.failure ?? (interruption.signal.aborted && isAbort(caught) ? interrupted : caught);
    tellError(error, command.opts<{ json?: boolean }>().json === true);
    process.exitCode = exitCode(error);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** As `run`, of an action that stands beside its definition and loads the heavy parts itself. */
export function runHere<Arguments extends unknown[]>(
  command: Command,
  action: Action<Arguments>['default'],
  ...args: Arguments
): Promise<void> {
  return run(command, () => Promise.resolve({ default: action }), ...args);
}

async function openContext(command: Command, interruption: Interruption): Promise<Context> {
  const { signal, stoppedBy } = interruption;
  const [{ notTakenLine, putInForce, readEnvFile }, { loadConfig }, { openLog }] = await Promise.all([
    import('../../lib/config/env-file.ts'),
    import('../../lib/config/load.ts'),
    import('../../lib/config/log.ts'),
  ]);
  // The one place that reads the environment. The S3 SDK reads AWS_* from it by itself, so what may come from `.env` goes
  // into it, and so do flags: either goes to child processes.
  const file = readEnvFile();
  const fromFile = file === null ? [] : putInForce(file.values, process.env);
  // ONNX Runtime 1.30 reports its use to its maker, and leaves files about it in the temporary directory: not from here.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const service = takeServiceSettings(process.env, process.pid);
  const env = { ...process.env, ...settingsFromFlags(command) };
  const config = loadConfig(env);
  const interactive = process.stderr.isTTY === true;
  const name = pathOf(command).split(' ').slice(1).join(' ');
  const source = {
    role: name,
    host: hostname(),
    pipeline: config.pipeline,
  };
  const log = await openLog(config.logLevel, interactive, source);
  const json = command.opts<{ json?: boolean }>().json === true;
  const say = (text: string) =>
    writeAboveBars(`${shownOn(process.stderr, fitted(printableLines(text), process.stderr))}\n`);
  // What runs on and on writes logs for machines; the rest, lines for the person who waits.
  const isService =
    ['consume', 'serve', 'watch'].includes(command.name()) || command.opts<{ follow?: boolean }>().follow;
  // A child has it all from its parent, which has said so.
  if (file !== null && command.opts<{ whileStdin?: boolean }>().whileStdin !== true) {
    log.info({ file: file.path, settings: fromFile }, `reading settings from ${file.path}`);
    const line = notTakenLine(file);
    if (line !== undefined) (isService ? (text: string) => log.warn(text) : say)(line);
  }
  // What watches its servers sees to it itself, and what only looks does not wait.
  let patiently: Patience | undefined;
  const watches = ['consume', 'serve', 'watch', 'produce'].includes(command.name());
  const waits = command.options.some(({ long }) => long === '--give-up-after');
  if (waits && !watches && config.giveUpAfterMs !== undefined) {
    const [{ patientStart }, { linesFor, Waiting }] = await Promise.all([
      import('./opening.ts'),
      import('./service-log.ts'),
    ]);
    patiently = patientStart({ config, signal }, new Waiting(isService ? log : linesFor(say)));
  }
  return {
    config,
    patiently,
    needs: roles[name],
    env,
    service,
    json,
    yes: command.opts<{ yes?: boolean }>().yes === true,
    interactive,
    log,
    signal,
    stoppedBy,
    giveUp: (error) => interruption.fail(error),
    ownsProcess: true,
    onNotice: isService ? (text) => log.info(text) : say,
    say,
    print: (document, text) =>
      void process.stdout.write(
        `${json ? jsonText(document) : shownOn(process.stdout, fitted(printableLines(text()), process.stdout))}\n`,
      ),
  };
}

function settingsFromFlags(command: Command): Record<string, string> {
  const given: Record<string, string> = {};
  for (const setting of settings) {
    if (setting.flag === undefined) continue;
    const option = command.options.find((o) => o.long === setting.flag);
    if (!option || command.getOptionValueSource(option.attributeName()) !== 'cli') continue;
    given[setting.env] = String(command.getOptionValue(option.attributeName()));
    // Empty counts as absent: the flag wins over a file that the environment names, too.
    if (setting.secret) given[`${setting.env}_FILE`] = '';
  }
  return given;
}

/** What ends by the signal's own error was told to: nothing unexpected. */
const interrupted = new VisionscaleError('interrupted', { code: 'interrupted' });

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function exitCode(error: unknown): number {
  if (error instanceof UsageError) return 2;
  if (!(error instanceof VisionscaleError)) return 1;
  if (error.code === 'bad_kafka_property') return 2;
  return error.code === 'interrupted' ? 130 : 1;
}

/** That a command is told to stop, once, and by what. */
class Interruption {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #by: string | null = null;

  /** False where it was told before. */
  stop(by: string): boolean {
    if (this.#by !== null) return false;
    this.#by = by;
    this.#controller.abort();
    return true;
  }

  /** What the command fails with, though it ended in good order. */
  failure: VisionscaleError | null = null;

  fail(error: VisionscaleError): void {
    if (this.stop('giving up')) this.failure = error;
  }

  readonly stoppedBy = (): string | null => this.#by;
}

/** Aborts when whoever holds the other end of standard input is gone, however it ended. */
function stopWithStdin(interruption: Interruption): void {
  const stop = () => void interruption.stop('the end of standard input');
  process.stdin.on('end', stop).on('error', stop);
  process.stdin.resume();
  process.stdin.unref?.();
}

/** Message and hint for what was expected; for the rest, where it happened too, since that is ours to mend. */
function tellError(error: unknown, json: boolean): void {
  const expected = error instanceof VisionscaleError;
  const hint = expected ? error.hint : undefined;
  const stack = !expected && error instanceof Error && error.stack ? sourceStack(error.stack) : undefined;
  if (json) return tellJsonError(faultCode(error), errorMessage(error), hint, stack);
  const fit = (text: string) => fitted(printableLines(text), process.stderr);
  const lines = [
    styled('error', fit(`visionscale: ${expected ? '' : 'unexpected error: '}${errorMessage(error)}`)),
    ...(hint === undefined ? [] : [indented(printableLines(hint), 2, process.stderr)]),
    ...(stack === undefined ? [] : [printableLines(stack)]),
  ];
  process.stderr.write(`${shownOn(process.stderr, lines.join('\n'))}\n`);
}
