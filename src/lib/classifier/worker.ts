/** A worker thread of the pool: one session; decodes, preprocesses and classifies one image at a time. */
import { threadId, workerData } from 'node:worker_threads';
import { VisionscaleError } from '../errors.ts';
import { openPrepare } from '../images/prepare.ts';
import type { Findings } from './classifier.ts';
import type { Session } from './engines/engine.ts';
import { engines } from './engines/engines.ts';
import { toPlainError, type Reply, type Task, type WorkerSetup } from './protocol.ts';
import { rank } from './rank.ts';

const { model, engine, device, lock, limits, autoOrient, preprocess } = workerData as WorkerSetup;
const { crop } = model.preprocessing;
const prepare = openPrepare({
  preprocessing: model.preprocessing,
  mode: preprocess,
  limits,
  autoOrient,
});

/** Opened at once, so that a worker that replaces a crashed one is warm before its first image. */
let opening: Promise<Session> | undefined = openWarm();
opening.catch(() => undefined); // reported by the first task

/** Answers one task of the pool. Any error that is not expected ends the thread: the pool replaces it. */
export default async function answer(task: Task): Promise<Reply> {
  try {
    const session = await open();
    if (task.kind === 'warm-up') return { kind: 'ready', threadId };
    return { kind: 'classified', findings: await classify(session, task.image) };
  } catch (error) {
    if (error instanceof VisionscaleError) return { kind: 'failed', error: toPlainError(error) };
    setImmediate(() => {
      throw error;
    });
    return new Promise(() => undefined); // rejected by the pool when the thread has ended
  }
}

async function open(): Promise<Session> {
  try {
    return await (opening ??= openWarm());
  } catch (error) {
    opening = undefined;
    throw error;
  }
}

/** The first inference is several times slower than the rest, and tells whether the model answers as it should. */
async function openWarm(): Promise<Session> {
  const session = await engines[engine].open(model.weights, { side: crop, device, lock });
  const scores = await session.run(new Float32Array(3 * crop * crop), 1);
  const labels = model.info.labels.length;
  if (scores.length !== labels) {
    await session[Symbol.asyncDispose]();
    throw new VisionscaleError(`the model has ${scores.length} classes, but there are ${labels} labels`, {
      code: 'labels_mismatch',
      hint: 'labels.txt must have one line for each output of the model, in the same order.',
    });
  }
  rank(scores, model.info.labels, model.output);
  return session;
}

async function classify(session: Session, bytes: Uint8Array): Promise<Findings> {
  const { input, stages } = await prepare(bytes);
  const prepared = performance.now();
  const scores = await session.run(input, 1);
  const top = rank(scores, model.info.labels, model.output);
  return { top, stages: { ...stages, infer: performance.now() - prepared } };
}
