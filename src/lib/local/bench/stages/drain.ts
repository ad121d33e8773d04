/** Consumes a topic to its end in this process, all partitions at once, and says how fast it went. */
import { hostname } from 'node:os';
import { VisionscaleError } from '../../../base/errors.ts';
import { defaultEndurance, defaultImageMemoryBytes } from '../../../config/endurance.ts';
import type { Classifier } from '../../../models/classifier/classifier.ts';
import { consume, type ConsumeEvent } from '../../../pipeline/consume/consume.ts';
import type { ObjectStore } from '../../../systems/objects/store.ts';
import type { ResultTopics } from '../../../systems/publish/topics.ts';
import type { Topic } from '../../../systems/topic/topic.ts';
import { startClock, type Measured } from '../measure.ts';
import type { Scratch } from '../scratch.ts';
import type { StageInput } from '../stage.ts';

export interface DrainDeps {
  scratch: Scratch;
  topic: Topic;
  store: ObjectStore;
  classifier: Classifier;
  /** Where results are published meanwhile; null: nowhere. */
  results: ResultTopics | null;
}

/** From the moment the first partition is owned to the last row, or the last result published. Throws where anything but predictions came out. */
export async function drain(
  deps: DrainDeps,
  { limits, signal }: StageInput,
): Promise<Omit<Measured, 'medianMs' | 'p99Ms'>> {
  const { scratch, topic, store, classifier, results } = deps;
  let clock: ReturnType<typeof startClock> | undefined;
  let measured: ReturnType<ReturnType<typeof startClock>> | undefined;
  let predicted = 0;
  let asked = 0;
  const failed: string[] = [];
  const stop = new AbortController();
  const report = (event: ConsumeEvent) => {
    if (event.kind === 'owning') {
      clock ??= startClock();
      asked += event.lag;
    }
    if (event.kind === 'dead letter') {
      failed.push(`the benchmark's own image ${event.imageKey} failed: ${event.message}`);
      stop.abort();
    }
    if (event.kind !== 'recorded') return;
    predicted += event.predicted;
    measured = clock?.(predicted);
  };
  const partitions = [...Array(await topic.partitions()).keys()];
  await Promise.all(
    partitions.map((partition) =>
      consume(
        {
          pool: scratch.database.pool,
          topic,
          store,
          classifier,
          report,
          ...(results !== null && { results }),
        },
        {
          pipeline: scratch.pipeline,
          owner: `bench:${process.pid}`,
          hostname: hostname(),
          maxImageBytes: limits.maxBytes,
          imageMemoryBytes: defaultImageMemoryBytes,
          ...defaultEndurance,
          untilDrained: true,
          skipExpired: false,
          signal: AbortSignal.any([signal, stop.signal]),
        },
        { kind: 'partition', partition },
      ),
    ),
  );
  const [failure] = failed;
  if (failure !== undefined) throw new VisionscaleError(failure, { code: 'bench_failed' });
  if (results !== null) measured = clock?.(predicted);
  signal.throwIfAborted();
  // A request that was answered before costs its work and counts for nothing: the rate would be wrong.
  if (measured === undefined || predicted !== asked)
    throw new Error(`${predicted} predictions for ${asked} messages`);
  return measured;
}
