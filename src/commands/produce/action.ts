/** What `produce` does: sends the keys, showing how far it is; with --follow, for as long as it is left running. */
import { openDatabase, openTopic } from '../../compose.ts';
import { isRetryable } from '../../lib/base/errors.ts';
import type { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { partitionWarning } from '../../lib/pipeline/init.ts';
import { produce, type ProduceResult } from '../../lib/pipeline/produce.ts';
import { showWaiting } from '../shared/metrics.ts';
import { patientStart } from '../shared/patient-start.ts';
import type { Context } from '../shared/run.ts';
import { followLog, progressBar } from './log.ts';

export interface ProduceFlags {
  again?: boolean;
  limit?: number;
  rate?: number;
  belt?: string;
  follow?: boolean;
}

export default async function (context: Context, options: ProduceFlags): Promise<number> {
  const { signal, say, onNotice } = context;
  const follow = options.follow === true;
  try {
    await using metrics = await showWaiting(context, 'produce', feedMetrics);
    const start = follow ? patientStart(context) : <T>(step: () => Promise<T>) => step();
    await using database = await start(() => openDatabase(context));
    await using topic = await start(() => openTopic(context, database));
    using shown = follow ? followLog(context) : progressBar(context);
    const result = await produce(
      {
        pool: database.pool,
        topic,
        report(event) {
          metrics.hear(event);
          if (event.kind === 'topic') {
            if (event.created) onNotice(`created topic ${event.name} with ${event.partitions} partitions`);
            partitionWarning(event.name, event, event.wanted).forEach(onNotice);
          }
          shown.hear(event);
        },
      },
      {
        again: options.again === true,
        partitions: context.config.topic.partitions,
        follow,
        signal,
        ...(options.limit !== undefined && { limit: options.limit }),
        ...(options.rate !== undefined && { rate: options.rate }),
        ...(options.belt !== undefined && { belt: options.belt }),
      },
    );
    shown[Symbol.dispose]();
    const interrupted = signal.aborted && !follow;
    context.print(result, () => summary(result, signal.aborted));
    if (interrupted) say('interrupted; run it again to go on');
    return interrupted ? 1 : 0;
  } catch (error) {
    // Told to stop while something was away: what was not acknowledged is sent by the next run.
    if (follow && signal.aborted && isRetryable(error)) return 0;
    throw error;
  }
}

function summary(result: ProduceResult, interrupted: boolean): string {
  if (result.produced === 0 && !interrupted) {
    return result.images === 0
      ? 'nothing to send: no image has been uploaded'
      : 'nothing to send: all images have been sent already (--again resends)';
  }
  const left = result.left > 0 ? `; ${result.left} are left` : '';
  return `produced ${result.produced} keys to ${result.topic} (partitions ${result.partitions.join(', ')}) in ${result.seconds.toFixed(1)} s${left}`;
}

async function feedMetrics({ registry }: ProcessMetrics) {
  const { producerMetrics } = await import('../../lib/observe/metrics/producer.ts');
  return producerMetrics(registry);
}
