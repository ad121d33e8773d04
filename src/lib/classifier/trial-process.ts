/**
 * A process in which a model is tried before anything that must not end opens it: a native runtime may crash, grow or never
 * come back over a graph. A thread opens the model and runs it; the main thread watches time, memory and the parent, and ends
 * the process for certain.
 */
import { writeFileSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { prepareOnnxRuntime, prepareTensorFlow } from '../config/native-environment.ts';
import { errorMessage, VisionscaleError } from '../errors.ts';
import type { Session } from './engines/engine.ts';
import { engines } from './engines/engines.ts';
import { newLock } from './lock.ts';
import { invalidModel } from './model-files.ts';
import { toPlainError } from './protocol.ts';
import { testInputs } from './test-inputs.ts';
import type { Answer, TrialEvent, TrialRequest } from './trial.ts';

if (isMainThread) await watch(JSON.parse(process.argv[2]!) as TrialRequest);
else await work(workerData as { request: TrialRequest; weights: Uint8Array });

/** Writes what happens to file descriptor 3, a JSON line each. */
async function watch(request: TrialRequest): Promise<void> {
  const say = (event: TrialEvent) => writeSync(3, `${JSON.stringify(event)}\n`);
  const end = () => process.kill(process.pid, 'SIGKILL'); // exit handlers would wait for a thread that runs on
  // A Ctrl-C is the parent's to understand; when it ends, so does standard input.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  dieFirst();
  process.stdin.on('error', end).on('end', end).on('close', end);
  const weights = await readWeights(request.bytes);
  process.stdin.resume();

  prepareOnnxRuntime();
  if (request.engines.includes('tfjs')) prepareTensorFlow();
  const { openMs, runMs, memoryBytes } = request.limits;
  let deadline = performance.now() + openMs;
  const worker = new Worker(new URL(import.meta.url), { workerData: { request, weights } });
  worker.on('message', (event: TrialEvent) => {
    deadline = performance.now() + runMs;
    say(event);
  });
  worker.on('error', (error) => say({ kind: 'failed', error: toPlainError(failed(error)) }));
  setInterval(() => {
    const over = performance.now() > deadline ? 'time' : process.memoryUsage.rss() > memoryBytes && 'memory';
    if (over === false) return;
    say({ kind: 'exceeded', what: over });
    end();
  }, 50);
}

/** Where memory runs out, Linux is to take this process before others. */
function dieFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Other systems have none.
  }
}

function readWeights(bytes: number): Promise<Uint8Array> {
  const weights = new Uint8Array(new SharedArrayBuffer(bytes));
  if (bytes === 0) return Promise.resolve(weights);
  return new Promise((resolve) => {
    let at = 0;
    process.stdin.on('data', (chunk: Buffer) => {
      weights.set(chunk, at);
      at += chunk.length;
      if (at === bytes) resolve(weights);
    });
  });
}

async function work({ request, weights }: { request: TrialRequest; weights: Uint8Array }): Promise<void> {
  const say = (event: TrialEvent) => parentPort!.postMessage(event);
  try {
    const session = await openFirst(request, weights, say);
    for (const { stress, values } of testInputs(request.side, request.inputs)) {
      const began = performance.now();
      const scores = await session.run(values, 1).catch((error: unknown) => {
        throw failed(error);
      });
      say({ kind: 'answered', answer: answerOf(scores, stress), milliseconds: performance.now() - began });
    }
    say({ kind: 'done' });
  } catch (error) {
    say({ kind: 'failed', error: toPlainError(failed(error)) });
  }
}

async function openFirst(
  { engines: names, side, device }: TrialRequest,
  weights: Uint8Array,
  say: (event: TrialEvent) => void,
): Promise<Session> {
  let unavailable: unknown;
  for (const engine of names) {
    try {
      const session = await engines[engine].open(weights, { side, device, lock: newLock() });
      say({ kind: 'opened', engine });
      return session;
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

function failed(error: unknown): VisionscaleError {
  if (error instanceof VisionscaleError) return error;
  return invalidModel(`a test inference failed: ${errorMessage(error).trim()}`, {
    hint: 'Does --size fit the network?',
    cause: error,
  });
}
