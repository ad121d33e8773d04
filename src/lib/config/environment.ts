/** What the environment says beside our own settings: OpenTelemetry's variables, and a service manager's. */
import type { Environment } from './given.ts';

export interface ServiceSettings {
  /** A datagram socket: a path, or `@name` for an abstract one. */
  socket: string;
  /** The process is ended when nothing was heard of it for so long, in milliseconds; undefined: never. */
  watchdogMs: number | undefined;
  /** Where programs are searched. */
  path: string | undefined;
}

const names = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

/**
 * Undefined where no service manager listens. The variables are taken out of `env`, as sd_notify(3) asks: they are
 * meant for this process, and a PostgreSQL started by it would report itself ready in its name.
 */
export function takeServiceSettings(
  env: Record<string, string | undefined>,
  pid: number,
): ServiceSettings | undefined {
  const settings = serviceSettings(env, pid);
  for (const name of names) delete env[name];
  return settings;
}

function serviceSettings(env: Environment, pid: number): ServiceSettings | undefined {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || !/^[/@]./.test(socket)) return undefined;
  return { socket, watchdogMs: watchdogMs(env, pid), path: env['PATH'] };
}

/** WATCHDOG_PID says whom it is meant for, where somebody in between passes the environment on. */
function watchdogMs(env: Environment, pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: meant } = env;
  if (microseconds === undefined || !/^[1-9]\d{0,15}$/.test(microseconds)) return undefined;
  if (meant !== undefined && meant !== '' && meant !== String(pid)) return undefined;
  return Number(microseconds) / 1000;
}

// Whether traces are wanted, by OpenTelemetry's own environment; what else it says is read by OpenTelemetry itself.

export interface TracingSettings {
  /** What the spans name as their service; undefined: nobody said. */
  service: string | undefined;
}

/** Null where no traces are wanted. */
export function tracingSettings(env: Environment): TracingSettings | null {
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const isOff = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none';
  return endpoint === undefined || isOff ? null : { service: env['OTEL_SERVICE_NAME'] };
}
