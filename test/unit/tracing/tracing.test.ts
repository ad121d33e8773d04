/** Spans of a consumer: their parent from the message, their times from the work; and what happens without OpenTelemetry. */
import { describe, expect, it } from 'vitest';
import { tracingSettings } from '../../../src/lib/config/environment.ts';
import {
  type Api,
  consumerSpans,
  openTracing,
  type Span,
  spanContext,
  type SpanContext,
  type SpanOptions,
  type Time,
} from '../../../src/lib/observe/tracing.ts';
import type { RecordedEvent } from '../../../src/lib/pipeline/consume/options.ts';
import type { Outcome } from '../../../src/lib/systems/database/record/outcome.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

interface Recorded {
  name: string;
  options: SpanOptions;
  parent: { span?: Recorded; context?: SpanContext };
  ended?: Time;
  status?: { code: number; message?: string };
}

/** The API, with spans that are only kept. */
function keptSpans() {
  const spans: Recorded[] = [];
  const of = new Map<Span, Recorded>();
  const api: Api = {
    ROOT_CONTEXT: {},
    trace: {
      getTracer: () => ({
        startSpan(name, options, parent) {
          const recorded: Recorded = { name, options, parent };
          const span: Span = {
            setStatus: (status) => (recorded.status = status),
            end: (at) => (recorded.ended = at!),
          };
          of.set(span, recorded);
          spans.push(recorded);
          return span;
        },
      }),
      setSpan: (_parent, span) => ({ span: of.get(span) }),
      setSpanContext: (_parent, context) => ({ context }),
    },
  };
  return { api, spans };
}

const record = { topic: 't', partition: 2, offset: 7, timestamp: 1_700_000_000_000, key: null, value: null };
const request = { id: 'r', imageKey: 'a.png', capturedAt: null, belt: null, traceparent };
const prediction = {
  kind: 'prediction',
  record: { ...record, headers: {} },
  request,
  classification: {
    model: { name: 'm', version: '1' },
    top: [{ category: 'red', confidence: 99 }],
    stages: { decode: 1, preprocess: 1, infer: 1 },
  },
  times: {
    received: 1_700_000_000_100,
    fetching: 1_700_000_000_101.5,
    fetched: 1_700_000_000_110,
    classified: 1_700_000_000_120,
  },
} as unknown as Outcome;
const letter: Outcome = {
  kind: 'dead letter',
  record: { ...record, headers: {} },
  requestId: 'q',
  imageKey: null,
  stage: 'fetch',
  code: 'not_found',
  message: 'no object',
};

function recording(...outcomes: Outcome[]): RecordedEvent {
  const counts = { predicted: 1, deadLettered: 0, ignored: 0, lag: 0, oldest: null, predictions: [] };
  const times = { began: 1_700_000_000_121, ended: 1_700_000_000_125.25 };
  return { kind: 'recorded', partition: 2, outcomes, ...counts, ...times };
}

describe('the spans of a consumer', () => {
  it('hang below the traceparent of the message, with the times of the work', () => {
    const { api, spans } = keptSpans();
    consumerSpans(api)(recording(prediction));
    const [root, ...parts] = spans;
    expect(root!.parent.context).toEqual({
      traceId,
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      isRemote: true,
    });
    expect(root).toMatchObject({
      name: 'visionscale request',
      options: {
        kind: 4,
        startTime: [1_700_000_000, 0],
        attributes: { 'visionscale.request.id': 'r', 'visionscale.category': 'red' },
      },
      ended: [1_700_000_000, 125_250_000],
    });
    expect(parts.every(({ parent }) => parent.span === root)).toBe(true);
    const ms = ([, nanoseconds]: Time) => nanoseconds / 1e6;
    expect(parts.map(({ name, options, ended }) => [name, ms(options.startTime!), ms(ended!)])).toEqual([
      ['receive', 0, 100],
      ['fetch', 101.5, 110],
      ['classify', 110, 120],
      ['record', 121, 125.25],
    ]);
  });

  it('begin a trace where there is none, and tell of dead letters', () => {
    const { api, spans } = keptSpans();
    consumerSpans(api)(recording(letter));
    expect(spans[0]!.parent).toBe(api.ROOT_CONTEXT);
    expect(spans[0]!.status).toEqual({ code: 2, message: 'not_found: no object' });
    expect(spans[0]!.options.attributes).toMatchObject({ 'error.type': 'not_found' });
    expect(spans.map(({ name }) => name)).toEqual(['visionscale request', 'receive', 'record']);
  });

  it('take nothing else for a traceparent', () => {
    expect(spanContext(traceparent)?.traceId).toBe(traceId);
    for (const text of ['', '00', `00-${traceId}`, `${traceparent}-more`, `00-${traceId}-b7-01`])
      expect(spanContext(text), text).toBeNull();
  });
});

describe('OpenTelemetry', () => {
  it('is wanted where its environment says so', () => {
    const endpoint = 'http://127.0.0.1:4318';
    expect(tracingSettings({})).toBeNull();
    expect(tracingSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })).toEqual({ service: undefined });
    const named = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'belt' };
    expect(tracingSettings(named)).toEqual({ service: 'belt' });
    expect(tracingSettings({ ...named, OTEL_SDK_DISABLED: 'true' })).toBeNull();
    expect(tracingSettings({ ...named, OTEL_TRACES_EXPORTER: 'none' })).toBeNull();
  });

  it('is started once and shut down, and its spans are made by it', async () => {
    const { api, spans } = keptSpans();
    const calls: string[] = [];
    class NodeSDK {
      constructor(options: { serviceName: string }) {
        calls.push(options.serviceName);
      }
      start() {
        calls.push('start');
      }
      shutdown() {
        calls.push('shutdown');
        return Promise.resolve();
      }
    }
    const load = (name: string) => Promise.resolve(name === '@opentelemetry/api' ? api : { NodeSDK });
    const tracing = await openTracing({ service: 'belt', onNotice: () => undefined, load });
    tracing.hear(recording(prediction));
    tracing.hear({ kind: 'released', partition: 2 });
    expect(spans).toHaveLength(5);
    await tracing[Symbol.asyncDispose]();
    await tracing[Symbol.asyncDispose]();
    expect(calls).toEqual(['belt', 'start', 'shutdown']);
  });

  it('is said once to be absent, with how to get it, and breaks nothing', async () => {
    const said: string[] = [];
    const load = (name: string) =>
      Promise.reject(
        Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' }),
      );
    const tracing = await openTracing({ service: 's', onNotice: (text) => said.push(text), load });
    tracing.hear(recording(prediction));
    tracing.hear(recording(letter));
    await tracing[Symbol.asyncDispose]();
    expect(said).toEqual([
      expect.stringMatching(/not installed.*npm install @opentelemetry\/api @opentelemetry\/sdk-node$/),
    ]);
  });

  it('says what is wrong where it does not start', async () => {
    const said: string[] = [];
    class NodeSDK {
      start() {
        throw new Error('no such protocol');
      }
    }
    const load = () => Promise.resolve({ ...keptSpans().api, NodeSDK });
    await openTracing({ service: 's', onNotice: (text) => said.push(text), load });
    expect(said).toEqual(['no traces are sent: no such protocol']);
  });
});
