/** Whether traces are wanted, by OpenTelemetry's own environment; what else it says is read by OpenTelemetry itself. */
import type { Environment } from './given.ts';

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
