/** Who else listens to a consumer, where the settings ask for it: metrics and traces. Else nothing of either is loaded. */
import type { ConsumerSources } from '../../lib/observe/metrics/consumer.ts';
import type { Tracing } from '../../lib/observe/tracing/open.ts';
import type { ConsumeEvent } from '../../lib/pipeline/consume/events.ts';
import { showMetrics, type Shown } from '../shared/metrics.ts';
import type { Context } from '../shared/run.ts';

const nobody = { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };

/** `group`: a member of a group is ready also when it is given nothing. */
export async function showConsumer(
  context: Context,
  { group, ...sources }: ConsumerSources & { group: boolean },
): Promise<Shown<ConsumeEvent>> {
  if (context.config.metrics.port === undefined) return nobody;
  const { consumerMetrics } = await import('../../lib/observe/metrics/consumer.ts');
  const { consumerHealth } = await import('../../lib/observe/metrics/server.ts');
  const { see, health } = consumerHealth(context.signal, group);
  return showMetrics(context, 'consume', health, ({ registry }) => {
    const count = consumerMetrics(registry, sources);
    return Promise.resolve((event) => {
      see(event);
      count(event);
    });
  });
}

/** Where OpenTelemetry's environment asks for traces. */
export async function traced({ config, onNotice }: Context): Promise<Tracing> {
  if (config.tracing === null) return nobody;
  const { openTracing } = await import('../../lib/observe/tracing/open.ts');
  return openTracing({ service: config.tracing.service ?? 'visionscale-consume', onNotice });
}
