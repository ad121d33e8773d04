/** Loads OpenTelemetry where the environment asks for traces. It is not a dependency: whoever wants it installs it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../base/errors.ts';
import type { ConsumeEvent } from '../../pipeline/consume/events.ts';
import { type Api, consumerSpans } from './consumer-spans.ts';

export interface Tracing extends AsyncDisposable {
  hear: (event: ConsumeEvent) => void;
}

export interface TracingOptions {
  /** `service.name` of the spans. */
  service: string;
  onNotice: (text: string) => void;
  /** For tests; by default `import`. */
  load?: (name: string) => Promise<unknown>;
}

/** OpenTelemetry's SDK, of which there is one a process. It reads all of its own environment. */
interface Sdk {
  NodeSDK: new (options: { serviceName: string; instrumentations: [] }) => {
    start(): void;
    shutdown(): Promise<void>;
  };
}

/** Longest wait for a collector that is away when the process ends, in milliseconds. */
const shutdownMs = 3000;

/** Says once, and does nothing from then on, where it is not installed or does not start. */
export async function openTracing({
  service,
  onNotice,
  load = (name) => import(name),
}: TracingOptions): Promise<Tracing> {
  let api: Api;
  let sdk: InstanceType<Sdk['NodeSDK']>;
  try {
    api = (await load('@opentelemetry/api')) as Api;
    const { NodeSDK } = (await load('@opentelemetry/sdk-node')) as Sdk;
    sdk = new NodeSDK({ serviceName: service, instrumentations: [] });
    sdk.start();
  } catch (error) {
    onNotice(`no traces are sent: ${whyNot(error)}`);
    return noTracing;
  }
  let closing: Promise<void> | undefined;
  const close = async () => {
    const over = new AbortController();
    await Promise.race([
      sdk.shutdown().catch((error: unknown) => onNotice(`the last traces were lost: ${errorMessage(error)}`)),
      sleep(shutdownMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined),
    ]);
    over.abort();
  };
  return { hear: consumerSpans(api), [Symbol.asyncDispose]: () => (closing ??= close()) };
}

export const noTracing: Tracing = {
  hear: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function whyNot(error: unknown): string {
  const isAbsent = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
  return isAbsent
    ? 'OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. Beside visionscale: npm install @opentelemetry/api @opentelemetry/sdk-node'
    : errorMessage(error);
}
