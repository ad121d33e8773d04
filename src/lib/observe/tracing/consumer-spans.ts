/** What a consumer did for each request as spans, made when its group is recorded: nothing of it is in the way before. */
import type { ConsumeEvent, RecordedEvent } from '../../pipeline/consume/events.ts';
import type { Outcome } from '../../systems/database/record/outcome.ts';

/** The spans hang below the one that the message's traceparent names; without one they begin a trace. */
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
