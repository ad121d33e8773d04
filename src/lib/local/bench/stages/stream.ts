/** What stages put through the scratch place: it is filled as `upload` and `produce` do, and drained as `consume` does. */
import { hostname } from 'node:os';
import { VisionscaleError } from '../../../base/errors.ts';
import { defaultEndurance, defaultImageMemoryBytes } from '../../../config/settings/consume.ts';
import type { Classifier } from '../../../models/classifier/classifier.ts';
import { openImagesApart } from '../../../models/images/apart.ts';
import { consume, type ConsumeEvent } from '../../../pipeline/consume/consume.ts';
import { oneModel } from '../../../pipeline/consume/models.ts';
import { upload, type UploadResult } from '../../../pipeline/upload/upload.ts';
import { imageTable } from '../../../systems/database/tables/images.ts';
import { header, keyContentType } from '../../../systems/message/record.ts';
import type { ObjectStore } from '../../../systems/objects/store.ts';
import type { ResultTopics } from '../../../systems/publish/topics.ts';
import type { Topic } from '../../../systems/topic/topic.ts';
import { type Measured, startClock } from '../measure.ts';
import type { Scratch } from '../scratch.ts';
import type { StageInput } from '../stage.ts';

const batch = 1000;

/** `round` must differ from call to call on one topic: it is part of the ids. */
export async function sendKeys(
  topic: Topic,
  keys: readonly string[],
  count: number,
  round: number,
): Promise<void> {
  await using producer = await topic.producer({ bulk: true });
  for (let from = 0; from < count; from += batch) {
    const records = Array.from({ length: Math.min(batch, count - from) }, (_, i) => {
      const n = from + i;
      const name = keys[n % keys.length]!;
      const key = Buffer.from(name);
      const headers = {
        [header.requestId]: `bench:${topic.name}:${round}:${n}`,
        [header.contentType]: keyContentType,
        [header.capturedAt]: new Date().toISOString(),
      };
      return { key, value: key, headers };
    });
    await producer.send(records);
  }
}

/** Their keys are their names. */
export async function putImages(input: StageInput, scratch: Scratch): Promise<UploadResult> {
  const { images, limits, signal } = input;
  await using looking = openImagesApart(limits);
  return await upload(
    {
      store: scratch.store,
      images: imageTable(scratch.database.pool),
      check: (bytes) => looking.structure(bytes),
      report: () => undefined,
      signal,
    },
    { paths: images.all.map(({ path }) => path), maxBytes: limits.maxBytes },
  );
}

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
          models: oneModel(classifier),
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
