/** Stage `end-to-end`: upload, produce and consume in this process, beside the roofline before and after it. */
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { compiledFile } from '../../../base/package.ts';
import { inSharedMemory } from '../../../models/format/model-files.ts';
import { produce } from '../../../pipeline/produce.ts';
import { startClock } from '../measure.ts';
import type { Figure, Stage, StageInput } from '../stage.ts';
import type { RooflineAnswer, RooflineSetup } from './roofline-thread.ts';
import { drain, putImages, sendKeys } from './stream.ts';

export const endToEndStage: Stage = async (input) => {
  const { engine, workers, seconds, signal } = input;
  const scratch = await input.scratch();
  const { pool } = scratch.database;
  const topic = await scratch.topic('end-to-end');
  // Whatever a stage before has uploaded is uploaded again.
  await pool.query('truncate image_info, produce_rounds');
  const before = await roofline(input);

  const uploading = startClock();
  const { uploaded } = await putImages(input, scratch);
  const upload = uploading(uploaded);
  const producing = startClock();
  const { produced } = await produce(
    { pool, topic, report: () => undefined },
    { again: false, partitions: scratch.partitions, signal },
  );
  const production = producing(produced);
  // Enough to fill the time: the same images again, each request with an id of its own.
  const keys = input.images.all.map(({ name }) => name);
  await sendKeys(topic, keys, Math.max(0, Math.round(before.rate * seconds) - produced), 1);

  await using results = await scratch.results(topic);
  await using classifier = await input.openClassifier({ engine, workers });
  const { result: consumed, delay } = await withEventLoopDelay(() =>
    drain({ scratch, topic, store: scratch.store, classifier, results }, input),
  );
  const latencies = await latency(scratch.pipeline);
  const after = await roofline(input);
  const mean = (of: 'rate' | 'ratePerCore') => (before[of] + after[of]) / 2;
  const unknown = { medianMs: NaN, p99Ms: NaN };
  const figures: Figure[] = [
    { stage: 'end-to-end', name: 'upload', unit: 'images', ...upload, ...unknown },
    { stage: 'end-to-end', name: 'produce', unit: 'keys', ...production, ...unknown },
    { stage: 'end-to-end', name: 'consume', unit: 'images', ...consumed, ...latencies },
  ];
  return {
    figures,
    findings: {
      infrastructure: scratch.describe,
      rooflineBefore: before.rate,
      rooflineAfter: after.rate,
      rooflineRatio: consumed.rate / mean('rate'),
      cpuOverRoofline: mean('ratePerCore') / consumed.ratePerCore,
      eventLoopDelayP50Ms: delay.p50Ms,
      eventLoopDelayP99Ms: delay.p99Ms,
      eventLoopDelayMaxMs: delay.maxMs,
    },
  };

  /** Of one image under full load: its stages from the fetch to the scores, without the time it waited. */
  async function latency(pipeline: string) {
    const { rows } = await pool.query<{ medianMs: number; p99Ms: number }>(
      `with work as (select (select sum(value::float8) from jsonb_each_text(stages)) as ms
         from prediction_results where pipeline = $1 and topic = $2)
       select percentile_cont(0.5) within group (order by ms) as "medianMs",
         percentile_cont(0.99) within group (order by ms) as "p99Ms" from work`,
      [pipeline, topic.name],
    );
    return rows[0]!;
  }
};

/** How late the main thread's timers come while something runs. */
interface EventLoopDelay {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Milliseconds between its ticks, which Node counts as delay too. */
const resolution = 1;

export async function withEventLoopDelay<T>(
  run: () => Promise<T>,
): Promise<{ result: T; delay: EventLoopDelay }> {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  try {
    const result = await run();
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolution);
    const delay = {
      p50Ms: late(histogram.percentile(50)),
      p99Ms: late(histogram.percentile(99)),
      maxMs: late(histogram.max),
    };
    return { result, delay };
  } finally {
    histogram.disable();
  }
}

/** What `workers` threads decode and infer, each with a session and the images of its own. */
async function roofline(input: StageInput): Promise<Pick<Figure, 'rate' | 'ratePerCore'>> {
  const { images, model, engine, workers, limits, autoOrient, preprocess, seconds, signal } = input;
  const shared = images.all.map(({ bytes }) => inSharedMemory(bytes));
  const setup: RooflineSetup = { images: shared, model, engine, limits, autoOrient, preprocess, seconds };
  const file = compiledFile('lib/local/bench/stages/roofline-thread');
  const threads = Array.from({ length: workers }, () => new Worker(file, { workerData: setup }));
  try {
    await Promise.all(threads.map((thread) => once(thread, 'message', { signal }))); // warm
    const clock = startClock();
    const answers = threads.map((thread) => once(thread, 'message', { signal }));
    for (const thread of threads) thread.postMessage('go');
    const counts = (await Promise.all(answers)) as [RooflineAnswer][];
    return clock(counts.reduce((sum, [{ count }]) => sum + count, 0));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
