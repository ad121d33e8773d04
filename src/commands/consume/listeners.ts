/** Traces of a consumer, where OpenTelemetry's environment asks for them; else nothing of it is loaded. */
import type { Tracing } from '../../lib/observe/tracing/open.ts';
import type { Context } from '../shared/run.ts';

export async function traced({ config, onNotice }: Context): Promise<Tracing> {
  if (config.tracing === null) {
    return { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const { openTracing } = await import('../../lib/observe/tracing/open.ts');
  return openTracing({ service: config.tracing.service ?? 'visionscale-consume', onNotice });
}
