/** Holds a quantised model against its parent: the same answers, right answers, and the time of one image. */
import { median } from '../../base/statistics.ts';
import type { EngineSession } from '../classifier/engines/engine.ts';
import type { Input } from './images.ts';

export interface ParentComparison {
  images: number;
  /** Share of images whose best category is the same, 0 to 1. */
  agreement: number;
  /** On those of the images that have a label. */
  labelled?: { images: number; parent: number; quantized: number };
}

/** `labelOf` gives the index of an image's true category. */
export async function compareAnswers(
  parent: EngineSession,
  quantized: EngineSession,
  inputs: AsyncIterable<Input>,
  labelOf: (input: Input) => number | undefined = () => undefined,
): Promise<ParentComparison> {
  const count = { images: 0, same: 0, labelled: 0, parent: 0, quantized: 0 };
  for await (const image of inputs) {
    const expected = greatest((await parent.run(image.input, 1)).scores);
    const answer = greatest((await quantized.run(image.input, 1)).scores);
    count.images++;
    if (expected === answer) count.same++;
    const label = labelOf(image);
    if (label === undefined) continue;
    count.labelled++;
    if (expected === label) count.parent++;
    if (answer === label) count.quantized++;
  }
  const comparison = { images: count.images, agreement: count.same / count.images };
  if (count.labelled === 0) return comparison;
  const [right, rightQuantized] = [count.parent / count.labelled, count.quantized / count.labelled];
  return { ...comparison, labelled: { images: count.labelled, parent: right, quantized: rightQuantized } };
}

export interface Speed {
  /** Median milliseconds for one image on one thread. */
  parent: number;
  quantized: number;
}

/** Taken in turns, so that what else the machine does meets both. */
export async function compareSpeed(
  parent: EngineSession,
  quantized: EngineSession,
  input: Float32Array,
  rounds = 40,
): Promise<Speed> {
  const times = { parent: [] as number[], quantized: [] as number[] };
  for (let round = -3; round < rounds; round++) {
    const [a, b] = [await time(parent, input), await time(quantized, input)];
    if (round < 0) continue; // warming up
    times.parent.push(a);
    times.quantized.push(b);
  }
  return { parent: median(times.parent), quantized: median(times.quantized) };
}

async function time(session: EngineSession, input: Float32Array): Promise<number> {
  const began = performance.now();
  await session.run(input, 1);
  return performance.now() - began;
}

function greatest(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}
