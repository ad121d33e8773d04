/** The verb `demo`: one producer and a consumer a partition as real processes, on the images of a directory, once. */
import { VisionscaleError } from '../../base/errors.ts';
import type { PassedOver } from '../../base/files/image-names.ts';
import { pause } from '../../base/flow/waiting.ts';
import { sum } from '../../base/statistics.ts';
import type { Environment } from '../../config/load.ts';
import type { ConsumeResult } from '../../pipeline/consume/consume.ts';
import type { UploadResult } from '../../pipeline/upload/upload.ts';
import type { Database } from '../../systems/database/open.ts';
import {
  answersTo,
  type DemoAnswer,
  type OutcomeSummary,
  roundsOf,
  summarize,
} from '../../systems/database/tables/demo.ts';
import { askAgain } from '../../systems/database/tables/images.ts';
import { readOwners, readPosition } from '../../systems/database/tables/owners.ts';
import { producedRequestId } from '../../systems/message/request.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { Child } from './child.ts';
import { type Accuracy, accuracyOf, withTruth } from './parts.ts';

export interface DemoDeps {
  database: Database;
  topic: Topic;
  /** Uploads the directory; told each key that is in the store afterwards. */
  upload: (onKey: (key: string) => void) => Promise<UploadResult>;
  /** What the images show, by key, where that is known: then the result has its accuracy. */
  truth?: ReadonlyMap<string, string>;
  /** The settings in force, for the processes. */
  env: Environment;
  report: (event: DemoEvent) => void;
}

export interface DemoOptions {
  pipeline: string;
  signal: AbortSignal;
}

export type DemoEvent =
  | { kind: 'consumers'; partitions: number }
  | { kind: 'uploaded'; result: UploadResult }
  | { kind: 'produced'; produced: number }
  | { kind: 'progress'; partition: number; done: number; total: number }
  | { kind: 'waiting'; partition: number; reason: string }
  /** Every prediction, beside what its image shows where that is known. */
  | { kind: 'answered'; answers: (DemoAnswer & { truth?: string })[] };

export interface DemoResult extends Omit<OutcomeSummary, 'firstPredictionAt'>, Partial<Accuracy>, PassedOver {
  images: number;
  imagesPerSecond: number;
  /** Mean time to decode, prepare and classify one image, in milliseconds; the rest of its latency it waits. */
  classifyMs: number | null;
  /** From the call to the first row. */
  firstPredictionSeconds: number | null;
  /** What the consumers ran. */
  model: string | null;
  engine: string | null;
  rejected: UploadResult['rejected'];
}

const pollMs = 200;

/** Stops everything it started, also when it is interrupted or fails. */
export async function demo(deps: DemoDeps, options: DemoOptions): Promise<DemoResult> {
  const { database, topic, report } = deps;
  const { pool } = database;
  const startedAt = Date.now();
  const partitions = await topic.partitions();
  const env = {
    ...deps.env,
    VISIONSCALE_LOG_LEVEL: 'warn',
    VISIONSCALE_WORKERS: deps.env['VISIONSCALE_WORKERS'] || '1',
    // One port is not enough for all of them.
    VISIONSCALE_METRICS_PORT: '',
  };
  const consumers = [...Array(partitions).keys()].map(
    (partition) =>
      new Child(
        `consumer ${partition}`,
        ['consume', '--partition', `${partition}`, '--while-stdin', '--json'],
        env,
      ),
  );
  // Until they are told to stop, a consumer that ends has failed, whatever its exit code.
  const consumersFailed = Promise.race(consumers.map(unexpectedEnd));
  consumersFailed.catch(() => undefined);
  const interrupted = rejectOnAbort(options.signal);
  interrupted.catch(() => undefined);
  const trouble = Promise.race([consumersFailed, interrupted]);
  trouble.catch(() => undefined);
  try {
    report({ kind: 'consumers', partitions });
    const keys: string[] = [];
    const uploaded = await Promise.race([deps.upload((key) => keys.push(key)), trouble]);
    report({ kind: 'uploaded', result: uploaded });
    if (keys.length === 0) {
      throw new VisionscaleError('there is no image to classify', {
        code: 'no_images',
        hint: 'Choose a directory with jpeg, png, webp, gif, tiff or bmp files.',
      });
    }

    // What an earlier run has produced is asked for once more: a demo shows something every time.
    await askAgain(pool, keys);
    const start = await positions(deps, options, partitions);
    await using producer = new Child('producer', ['produce', '--while-stdin', '--json'], env);
    const { produced } = JSON.parse(await Promise.race([producer.ended, trouble])) as {
      produced: number;
    };
    report({ kind: 'produced', produced });
    const ends = await Promise.all(
      [...Array(partitions).keys()].map(async (p) => (await topic.bounds(p)).end),
    );

    await Promise.race([caughtUp(deps, options, start, ends), trouble]);
    const ids = (await roundsOf(pool, keys)).map(({ key, round }) => producedRequestId(key, round));
    const [owner] = await readOwners(pool, options.pipeline, topic.name);
    const { firstPredictionAt, ...summary } = await summarize(pool, options.pipeline, ids);
    const { rejected, passedOver, passedOverKinds } = uploaded;
    return {
      images: keys.length,
      ...summary,
      imagesPerSecond: summary.seconds > 0 ? summary.predictions / summary.seconds : 0,
      firstPredictionSeconds:
        firstPredictionAt === null ? null : (firstPredictionAt.getTime() - startedAt) / 1000,
      classifyMs: await classifyMs(consumers),
      model: owner?.model ?? null,
      engine: owner?.engine ?? null,
      rejected,
      passedOver,
      passedOverKinds,
      ...(await answered(deps, options, ids)),
    };
  } finally {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  }
}

/** Of all images, as the consumers tell when they end. */
async function classifyMs(consumers: readonly Child[]): Promise<number | null> {
  const told = await Promise.all(
    consumers.map(async (consumer) => {
      await consumer.stop();
      const text = await consumer.ended.catch(() => '');
      // Nothing came of one that had to be killed.
      return text === '' ? null : (JSON.parse(text) as ConsumeResult);
    }),
  );
  const worked = told.filter((one) => one !== null && one.classifyMs !== null && one.predicted > 0);
  const images = sum(worked.map((one) => one!.predicted));
  return images === 0 ? null : sum(worked.map((one) => one!.predicted * one!.classifyMs!)) / images;
}

async function answered(
  { database, report, truth }: DemoDeps,
  { pipeline }: DemoOptions,
  ids: readonly string[],
): Promise<Partial<Accuracy>> {
  const answers = await answersTo(database.pool, pipeline, ids);
  if (truth === undefined) {
    report({ kind: 'answered', answers });
    return {};
  }
  const judged = withTruth(answers, truth);
  report({ kind: 'answered', answers: judged });
  return accuracyOf(judged, truth.size);
}

async function unexpectedEnd(consumer: Child): Promise<never> {
  await consumer.ended;
  throw new VisionscaleError(`${consumer.name} exited before everything was classified`, {
    code: 'child_failed',
  });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const interrupt = () =>
      reject(
        new VisionscaleError('interrupted', {
          code: 'interrupted',
          hint: 'Run it again: it continues where it stopped.',
        }),
      );
    if (signal.aborted) interrupt();
    else signal.addEventListener('abort', interrupt, { once: true });
  });
}

async function positions(deps: DemoDeps, options: DemoOptions, partitions: number): Promise<number[]> {
  const topic = deps.topic.name;
  return Promise.all(
    [...Array(partitions).keys()].map(async (partition) => {
      const position = await readPosition(deps.database.pool, {
        pipeline: options.pipeline,
        topic,
        partition,
      });
      return position?.nextOffset ?? (await deps.topic.bounds(partition)).first;
    }),
  );
}

async function caughtUp(
  deps: DemoDeps,
  options: DemoOptions,
  start: number[],
  ends: number[],
): Promise<void> {
  for (;;) {
    const now = await positions(deps, options, ends.length);
    now.forEach((position, partition) => {
      const total = ends[partition]! - start[partition]!;
      deps.report({
        kind: 'progress',
        partition,
        done: Math.min(total, position - start[partition]!),
        total,
      });
    });
    if (options.signal.aborted || now.every((position, partition) => position >= ends[partition]!)) return;
    for (const { partition, detail } of await readOwners(
      deps.database.pool,
      options.pipeline,
      deps.topic.name,
    )) {
      if (detail !== null) deps.report({ kind: 'waiting', partition, reason: detail });
    }
    await pause(pollMs, options.signal);
  }
}
