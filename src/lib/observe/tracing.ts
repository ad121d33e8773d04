/** Traces of a consumer through OpenTelemetry, where the environment asks for them. It is not a dependency: whoever wants it installs it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../base/errors.ts';
import type { ConsumeEvent, RecordedEvent } from '../pipeline/consume/options.ts';
import type { Outcome } from '../systems/database/record/outcome.ts';

export interface Tracing extends AsyncDisposable {
  hear: (event: ConsumeEvent) => void;
}

interface TracingOptions {
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

const noTracing: Tracing = {
  hear: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function whyNot(error: unknown): string {
  const isAbsent = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
  return isAbsent
    ? 'OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. Beside visionscale: npm install @opentelemetry/api @opentelemetry/sdk-node'
    : errorMessage(error);
}

/** What a consumer did for each request as spans, made when its group is recorded: nothing of it is in the way before. The spans hang below the one that the message's traceparent names; without one they begin a trace. */
export function consumerSpans(api: Api): (event: ConsumeEvent) => void {
  const tracer = api.trace.getTracer('visionscale');

  const trace = (outcome: Outcome, { began, ended }: RecordedEvent) => {
    const { record } = outcome;
    const received = outcome.kind === 'prediction' ? outcome.times.received : began;
    const sent = Math.min(record.timestamp, received);
    const span = tracer.startSpan(
      'visionscale request',
      { kind: spanKind.consumer, startTime: time(sent), attributes: attributesOf(outcome) },
      parentOf(api, outcome),
    );
    const below = api.trace.setSpan(api.ROOT_CONTEXT, span);
    const part = (name: string, from: number, to: number) =>
      tracer.startSpan(name, { kind: spanKind.internal, startTime: time(from) }, below).end(time(to));
    part('receive', sent, received);
    if (outcome.kind === 'prediction') {
      const { fetching, fetched, classified } = outcome.times;
      part('fetch', fetching, fetched);
      part('classify', fetched, classified);
    } else {
      span.setStatus({ code: statusError, message: `${outcome.code}: ${outcome.message}` });
    }
    part('record', began, ended);
    span.end(time(ended));
  };

  return (event) => {
    if (event.kind !== 'recorded') return;
    for (const outcome of event.outcomes) trace(outcome, event);
  };
}

function attributesOf(outcome: Outcome): Record<string, string | number> {
  const { record } = outcome;
  const place = {
    'messaging.system': 'kafka',
    'messaging.destination.name': record.topic,
    'messaging.destination.partition.id': `${record.partition}`,
    'messaging.kafka.offset': record.offset,
  };
  if (outcome.kind === 'dead letter') {
    return { ...place, 'visionscale.request.id': outcome.requestId, 'error.type': outcome.code };
  }
  const { request, classification } = outcome;
  return {
    ...place,
    'visionscale.request.id': request.id,
    'visionscale.image.key': request.imageKey,
    'visionscale.model': `${classification.model.name}@${classification.model.version}`,
    'visionscale.category': classification.top[0]?.category ?? '',
  };
}

function parentOf(api: Api, outcome: Outcome): SpanParent {
  const traceparent =
    outcome.kind === 'prediction' ? outcome.request.traceparent : (outcome.traceparent ?? null);
  const context = traceparent === null ? null : spanContext(traceparent);
  return context === null ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, context);
}

/** Of a traceparent that was checked when its message was read; null for any other text. */
export function spanContext(traceparent: string): SpanContext | null {
  const [, traceId, spanId, flags, ...more] = traceparent.split('-');
  if (traceId?.length !== 32 || spanId?.length !== 16 || flags?.length !== 2 || more.length > 0) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

/** Of milliseconds. */
function time(ms: number): Time {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}

// What visionscale uses of @opentelemetry/api: it is not installed with visionscale, so its types are not either.

export interface SpanContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  isRemote?: boolean;
}

/** Whole seconds and nanoseconds since the epoch. */
export type Time = [seconds: number, nanoseconds: number];

export interface Span {
  setStatus(status: { code: number; message?: string }): unknown;
  end(at?: Time): void;
}

export interface SpanOptions {
  kind?: number;
  startTime?: Time;
  attributes?: Record<string, string | number>;
}

type SpanParent = object;

interface Tracer {
  startSpan(name: string, options: SpanOptions, parent: SpanParent): Span;
}

export interface Api {
  ROOT_CONTEXT: SpanParent;
  trace: {
    getTracer(name: string, version?: string): Tracer;
    setSpan(parent: SpanParent, span: Span): SpanParent;
    setSpanContext(parent: SpanParent, context: SpanContext): SpanParent;
  };
}

/** As the specification numbers them. */
const spanKind = { internal: 0, consumer: 4 } as const;
const statusError = 2;
