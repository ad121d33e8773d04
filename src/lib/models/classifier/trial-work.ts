/** The process in which a model is tried: opens it with the first engine that loads, then runs one test image a task. */
import { writeFileSync } from 'node:fs';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import type { OpenWork } from '../../base/sandbox/protocol.ts';
import { invalidModel } from '../format/model-files.ts';
import type { TrialAnswer } from '../format/output-kind.ts';
import type { EngineName } from './classifier.ts';
import type { EngineSession } from './engines/engine.ts';
import { engines } from './engines/engines.ts';
import type { TrialReply, TrialSetup } from './trial.ts';

const open: OpenWork<TrialSetup, 'next', TrialReply> = async (setup) => {
  dieFirst();
  const { engine, session } = await openFirst(setup);
  const inputs = testInputs(setup.side, setup.inputs);
  return async () => {
    const next = inputs.next();
    if (next.done) return null;
    const { stress, values } = next.value;
    const began = performance.now();
    const { scores } = await session.run(values, 1).catch((error: unknown) => {
      if (error instanceof VisionscaleError) throw error;
      throw invalidModel(`a test inference failed: ${errorMessage(error).trim()}`, {
        hint: 'Does --size fit the network?',
        cause: error,
      });
    });
    return { engine, answer: answerOf(scores, stress), milliseconds: performance.now() - began };
  };
};
export default open;

/** Where memory runs out, Linux is to take this process before others. */
function dieFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Other systems have none.
  }
}

async function openFirst({ weights, engines: names, side, device }: TrialSetup) {
  let unavailable: unknown;
  for (const engine of names) {
    try {
      const session: EngineSession = await engines[engine].open(weights, { side, device });
      return { engine, session } satisfies { engine: EngineName; session: EngineSession };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || error.code !== 'engine_unavailable') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable;
}

function answerOf(scores: Float32Array, stress: boolean): TrialAnswer {
  let [min, max, sum] = [Infinity, -Infinity, 0];
  for (const score of scores) {
    min = Math.min(min, score);
    max = Math.max(max, score);
    sum += score;
  }
  return { scores: scores.length, finite: Number.isFinite(sum), min, max, sum, stress };
}

// Images, as a network sees them, to try a model on: the same every time.

interface TestInput {
  values: Float32Array;
  /** Far beyond what an image can be: what stays within bounds on it is bounded. */
  stress: boolean;
}

/** `two`: grey and noise, the least that tells whether a model works. Made one by one, for each may take megabytes. */
function* testInputs(side: number, which: 'two' | 'all'): Generator<TestInput> {
  const plane = side * side;
  const fill = (value: (i: number) => number, stress = false) => ({
    values: Float32Array.from({ length: 3 * plane }, (_, i) => value(i)),
    stress,
  });
  yield fill(() => 0);
  yield fill(noise(1));
  if (which === 'two') return;
  yield fill(noise(2));
  yield fill(() => 2.5); // white, normalised
  yield fill(() => -2);
  // Blue to red from left to right.
  yield fill((i) => (((i % side) / side) * 4 - 2) * (1 - Math.floor(i / plane)));
  const loud = noise(3);
  yield fill(() => 50 * loud(), true);
  yield fill(() => 1000, true);
}

/** About what normalised photographs hold. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  };
}
