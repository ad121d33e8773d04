/** Shows a command's metrics while it runs, where the settings name a port; without one nothing of it is even loaded. */
import type { ProcessMetrics, Role } from '../../lib/observe/metrics/metrics.ts';
import type { Health } from '../../lib/observe/metrics/server.ts';
import type { ServerWatch } from '../../lib/pipeline/server-watch.ts';
import type { Context } from './run.ts';

export interface Shown<Event> extends AsyncDisposable {
  /** Told what happens; does nothing where no metrics are shown. */
  hear: (event: Event) => void;
}

/** Makes a command's metrics; what it resolves to is told of every event. */
export type MetricsFeed<Event> = (metrics: ProcessMetrics) => Promise<(event: Event) => void>;

/** Throws `metrics_unavailable`. */
export async function showMetrics<Event>(
  context: Context,
  role: Role,
  health: () => Health,
  feed: MetricsFeed<Event>,
): Promise<Shown<Event>> {
  if (context.config.metrics.port === undefined) return nothing;
  const { ProcessMetrics } = await import('../../lib/observe/metrics/metrics.ts');
  const metrics = new ProcessMetrics(role);
  const hear = await feed(metrics);
  const server = await showAtPort(context, metrics, health);
  return {
    hear,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      metrics[Symbol.dispose]();
    },
  };
}

/** Ready while it waits neither for a server nor for a step that fails, and is not told to stop; any other event ends that wait. */
export async function showWaiting<Event extends { kind: string } | { kind: 'waiting'; reason: string }>(
  context: Context,
  role: Role,
  servers: ServerWatch,
  feed: MetricsFeed<Event>,
): Promise<Shown<Event>> {
  if (context.config.metrics.port === undefined) return nothing;
  const { serversHealth } = await import('../../lib/observe/metrics/server.ts');
  const { signal } = context;
  let waiting: string | null = null;
  let begun = false;
  const ofServers = serversHealth(signal, servers);
  const health = (): Health => {
    const all = ofServers();
    if (!all.ready) return all;
    if (waiting !== null) return { ...all, ready: false, detail: `waiting: ${waiting}` };
    return begun ? all : { ...all, ready: false, detail: 'starting' };
  };
  return showMetrics(context, role, health, async (metrics) => {
    const count = await feed(metrics);
    return (event) => {
      waiting = event.kind === 'waiting' && 'reason' in event ? event.reason : null;
      begun ||= waiting === null;
      count(event);
    };
  });
}

/** Throws `metrics_unavailable`. */
export async function showAtPort(
  { config, say }: Context,
  metrics: ProcessMetrics,
  health: () => Health,
): Promise<AsyncDisposable> {
  const { host, port } = config.metrics;
  if (port === undefined) return nothing;
  const { openMetricsServer } = await import('../../lib/observe/metrics/server.ts');
  const server = await openMetricsServer({ host, port, render: () => metrics.render(), health });
  say(`metrics on ${server.url}`);
  return server;
}

const nothing = { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
