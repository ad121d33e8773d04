/** Stage `workers`: encoded bytes to categories through the pool of threads, by engine and number of threads. */
import { VisionscaleError } from '../../../base/errors.ts';
import type { EngineName } from '../../../models/classifier/classifier.ts';
import { engines } from '../../../models/classifier/engines/engines.ts';
import { measure, type Measured, median } from '../measure.ts';
import type { Figure, Stage, StageInput } from '../stage.ts';

/** The engine in use with 1, 2, … threads; the others with as many as there may be. */
export const workersStage: Stage = async (input) => {
  const { engine, workers } = input;
  const others = (Object.keys(engines) as EngineName[]).filter((name) => name !== engine);
  const runs = [
    ...[...Array(workers).keys()].map((n) => ({ engine, workers: n + 1 })),
    ...others.map((name) => ({ engine: name, workers })),
  ];
  const figures: Figure[] = [];
  const notes: string[] = [];
  const findings: Record<string, number> = {};
  for (const run of runs) {
    const name = `${run.engine}, ${run.workers} ${run.workers === 1 ? 'worker' : 'workers'}`;
    try {
      const { measured, inferMs } = await classifyAll(input, run);
      figures.push({ stage: 'workers', name, unit: 'images', ...measured });
      findings[`inferMs, ${name}`] = inferMs;
    } catch (error) {
      // An engine that is not installed, or that this model is not made for, is no fault of the rest.
      if (!(error instanceof VisionscaleError) || run.engine === engine) throw error;
      notes.push(`${name}: ${error.message}`);
    }
  }
  return { figures, findings, notes };
};

async function classifyAll(
  input: StageInput,
  run: { engine: EngineName; workers: number },
): Promise<{ measured: Measured; inferMs: number }> {
  const { images, seconds, signal } = input;
  await using classifier = await input.openClassifier(run);
  const infer: number[] = [];
  const measured = await measure(
    async (turn) => {
      // Each call gets bytes of its own: the pool takes them over.
      const bytes = new Uint8Array(images.all[turn % images.all.length]!.bytes);
      infer.push((await classifier.classify(bytes)).stages.infer);
    },
    { seconds, signal, concurrency: run.workers + 1 },
  );
  return { measured, inferMs: median(infer) };
}
