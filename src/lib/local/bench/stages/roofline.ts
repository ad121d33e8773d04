/** The roofline: decode, preprocess and infer in a bare loop on every core, with nothing around it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { compiledFile } from '../../../base/package.ts';
import { inSharedMemory } from '../../../models/classifier/shared-memory.ts';
import type { StageInput } from '../stage.ts';
import type { RooflineAnswer, RooflineSetup } from './roofline-thread.ts';

/** Images a second of `workers` threads, each with a session and the images of its own. */
export async function roofline(input: StageInput): Promise<number> {
  const { images, model, engine, workers, limits, autoOrient, preprocess, seconds, signal } = input;
  const shared = images.all.map(({ bytes }) => inSharedMemory(bytes));
  const setup: RooflineSetup = { images: shared, model, engine, limits, autoOrient, preprocess, seconds };
  const file = compiledFile('lib/local/bench/stages/roofline-thread');
  const threads = Array.from({ length: workers }, () => new Worker(file, { workerData: setup }));
  try {
    await Promise.all(threads.map((thread) => once(thread, 'message', { signal }))); // warm
    const began = performance.now();
    const answers = threads.map((thread) => once(thread, 'message', { signal }));
    for (const thread of threads) thread.postMessage('go');
    const counts = (await Promise.all(answers)) as [RooflineAnswer][];
    const took = (performance.now() - began) / 1000;
    return counts.reduce((sum, [{ count }]) => sum + count, 0) / took;
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
