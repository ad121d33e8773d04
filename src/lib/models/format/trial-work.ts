/** The process in which a model is tried: opens it with the first engine that loads, then runs one test image a task. */
import { writeFileSync } from 'node:fs';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import type { OpenWork } from '../../base/sandbox/protocol.ts';
import type { EngineName } from '../classifier/classifier.ts';
import type { Session } from '../classifier/engines/engine.ts';
import { engines } from '../classifier/engines/engines.ts';
import { invalidModel } from './model-files.ts';
import { testInputs } from './test-inputs.ts';
import type { Answer, TrialReply, TrialSetup } from './trial.ts';

const open: OpenWork<TrialSetup, 'next', TrialReply> = async (setup) => {
  dieFirst();
  const { engine, session } = await openFirst(setup);
  const inputs = testInputs(setup.side, setup.inputs);
  return async () => {
    const next = inputs.next();
    if (next.done) return null;
    const { stress, values } = next.value;
    const began = performance.now();
    const scores = await session.run(values, 1).catch((error: unknown) => {
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
      const session: Session = await engines[engine].open(weights, { side, device });
      return { engine, session } satisfies { engine: EngineName; session: Session };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || error.code !== 'engine_unavailable') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable;
}

function answerOf(scores: Float32Array, stress: boolean): Answer {
  let [min, max, sum] = [Infinity, -Infinity, 0];
  for (const score of scores) {
    min = Math.min(min, score);
    max = Math.max(max, score);
    sum += score;
  }
  return { scores: scores.length, finite: Number.isFinite(sum), min, max, sum, stress };
}
