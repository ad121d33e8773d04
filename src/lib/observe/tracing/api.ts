/** What visionscale uses of @opentelemetry/api: it is not installed with visionscale, so its types are not either. */

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

export type SpanParent = object;

export interface Tracer {
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
export const spanKind = { internal: 0, consumer: 4 } as const;
export const statusError = 2;
