/** A worker process of the pool: one session; decodes, preprocesses and classifies one image at a time. */
import { writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { VisionscaleError } from '../../base/errors.ts';
import type { OpenWork } from '../../base/sandbox/protocol.ts';
import { openPrepare } from '../images/prepare.ts';
import type { Answers, EngineSession } from './engines/engine.ts';
import { engines } from './engines/engines.ts';
import type { Reply, Task, WorkerSetup } from './pool.ts';
import { rank } from './rank.ts';

const open: OpenWork<WorkerSetup, Task, Reply> = async (setup) => {
  const { model, limits, autoOrient, preprocess, background } = setup;
  if (background) giveWay();
  const { preprocessing, output } = model;
  const prepare = openPrepare({ preprocessing, mode: preprocess, limits, autoOrient, lend: true });
  const session = await openWarm(setup);
  return async (_task, bytes) => {
    const { input, stages } = await prepare(bytes);
    const prepared = performance.now();
    const answers = await session.run(input, 1);
    const top = rank(answers.scores, model.info.labels, output);
    return { top, ...noveltyOf(answers), stages: { ...stages, infer: performance.now() - prepared } };
  };
};
export default open;

/** What computes beside it gets ten times as much. Before there are threads of the runtime, which inherit it. */
function giveWay(): void {
  // One that was started lower still stays there: only root may raise it.
  const priority = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL);
  setPriority(priority);
  try {
    // Where Linux divides processors among sessions first, a session has a priority too, and this process is one.
    writeFileSync('/proc/self/autogroup', String(priority));
  } catch {
    // Other systems have none.
  }
}

function noveltyOf({ novelty }: Answers): { novelty?: number } {
  if (novelty === undefined) return {};
  const [value = NaN] = novelty;
  if (novelty.length === 1 && Number.isFinite(value)) return { novelty: value };
  throw new VisionscaleError('the model tells novelty by something other than one number an image', {
    code: 'model_invalid',
    hint: 'Its weights are damaged: visionscale model verify',
  });
}

/** The first inference is several times slower than the rest, and tells whether the model answers as it should. */
async function openWarm({ model, engine, device }: WorkerSetup): Promise<EngineSession> {
  const side = model.preprocessing.crop;
  const session = await engines[engine].open(model.weights, { side, device });
  const answers = await session.run(new Float32Array(3 * side * side), 1);
  const { scores } = answers;
  const labels = model.info.labels.length;
  if (scores.length !== labels) {
    throw new VisionscaleError(`the model has ${scores.length} classes, but there are ${labels} labels`, {
      code: 'labels_mismatch',
      hint: 'labels.txt must have one line for each output of the model, in the same order.',
    });
  }
  rank(scores, model.info.labels, model.output);
  noveltyOf(answers);
  return session;
}
