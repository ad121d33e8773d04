/** Shows a command's metrics while it runs, where the settings name a port; without one nothing of it is even loaded. */
import type { ConsumerSources } from '../../lib/observe/metrics/consumer.ts';
import type { ProcessMetrics, Role } from '../../lib/observe/metrics/metrics.ts';
import type { Health } from '../../lib/observe/metrics/server.ts';
import type { ConsumeEvent } from '../../lib/pipeline/consume/events.ts';
import type { ProduceEvent } from '../../lib/pipeline/produce.ts';
import type { WatchEvent } from '../../lib/pipeline/watch/visit.ts';
import type { Context } from '../run.ts';

export interface Shown<Event> extends AsyncDisposable {
  /** Told what happens; does nothing where no metrics are shown. */
  hear: (event: Event) => void;
}

/** `group`: a member of a group is ready also when it is given nothing. */
export async function showConsumer(
  context: Context,
  { group, ...sources }: ConsumerSources & { group: boolean },
): Promise<Shown<ConsumeEvent>> {
  if (context.config.metrics.port === undefined) return nothing;
  const { consumerMetrics } = await import('../../lib/observe/metrics/consumer.ts');
  const { consumerHealth } = await import('../../lib/observe/metrics/server.ts');
  const { see, health } = consumerHealth(context.signal, group);
  return show(context, 'consume', health, ({ registry }) => {
    const count = consumerMetrics(registry, sources);
    return (event) => {
      see(event);
      count(event);
    };
  });
}

export async function showProducer(context: Context): Promise<Shown<ProduceEvent>> {
  if (context.config.metrics.port === undefined) return nothing;
  const { producerMetrics } = await import('../../lib/observe/metrics/producer.ts');
  return showWaiting(context, 'produce', ({ registry }) => producerMetrics(registry));
}

export async function showWatcher(context: Context): Promise<Shown<WatchEvent>> {
  if (context.config.metrics.port === undefined) return nothing;
  const { watchMetrics } = await import('../../lib/observe/metrics/watch.ts');
  return showWaiting(context, 'watch', ({ registry }) => watchMetrics(registry));
}

/** `feed` makes a command's metrics and returns what is told of every event. Throws `metrics_unavailable`. */
async function show<Event>(
  { config, say }: Context,
  role: Role,
  health: () => Health,
  feed: (metrics: ProcessMetrics) => (event: Event) => void,
): Promise<Shown<Event>> {
  const { host, port } = config.metrics;
  if (port === undefined) return nothing;
  const { ProcessMetrics } = await import('../../lib/observe/metrics/metrics.ts');
  const { openMetricsServer } = await import('../../lib/observe/metrics/server.ts');
  const metrics = new ProcessMetrics(role);
  const hear = feed(metrics);
  const server = await openMetricsServer({ host, port, render: () => metrics.render(), health });
  say(`metrics on ${server.url}`);
  return {
    hear,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      metrics[Symbol.dispose]();
    },
  };
}

/** Ready while it neither waits for something that is away nor is told to stop; any other event ends the wait. */
function showWaiting<Event extends ProduceEvent | WatchEvent>(
  context: Context,
  role: Role,
  feed: (metrics: ProcessMetrics) => (event: Event) => void,
): Promise<Shown<Event>> {
  const { signal } = context;
  let waiting: string | null = null;
  const health = (): Health => ({
    alive: true,
    ready: waiting === null && !signal.aborted,
    detail: signal.aborted ? 'stopping' : waiting === null ? 'at work' : `waiting: ${waiting}`,
  });
  return show(context, role, health, (metrics) => {
    const count = feed(metrics);
    return (event) => {
      waiting = event.kind === 'waiting' ? event.reason : null;
      count(event);
    };
  });
}

const nothing = { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
