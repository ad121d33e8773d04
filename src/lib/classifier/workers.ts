/** The worker threads themselves: started warm, fed with images, replaced when one dies. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { prepareOnnxRuntime, prepareTensorFlow } from '../config/native-environment.ts';
import { errorMessage, VisionscaleError } from '../errors.ts';
import type { Findings } from './classifier.ts';
import { fromPlainError, type Reply, type Task, type WorkerSetup } from './protocol.ts';

export interface Workers extends AsyncDisposable {
  classify(image: Uint8Array): Promise<Findings>;
}

export interface WorkersOptions {
  setup: WorkerSetup;
  threads: number;
  onNotice: (text: string) => void;
}

/** Resolves when every thread has run a first inference; rejects, with nothing left running, when one cannot. */
export async function openWorkers({ setup, threads, onNotice }: WorkersOptions): Promise<Workers> {
  if (setup.engine === 'tfjs') prepareTensorFlow();
  if (setup.engine === 'onnx') prepareOnnxRuntime();
  const pool = new Piscina<Task, Reply>({
    filename: workerFile(),
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    // Two at once, one decoding while the other infers, is no faster with a thread a core (measured: 131 to 130 images/s).
    concurrentTasksPerWorker: 1,
    recordTiming: false,
  });
  // A thread that dies while idle; one that dies at work rejects its tasks instead.
  pool.on('error', (error: unknown) =>
    onNotice(`a classifier thread ended and is replaced: ${errorMessage(error)}`),
  );

  async function run(task: Task, transferList: ArrayBuffer[] = []): Promise<Reply> {
    const reply = await pool.run(task, { transferList }).catch((cause: unknown) => {
      throw new VisionscaleError(`a classifier thread ended: ${errorMessage(cause)}`, {
        code: 'worker_crashed',
        retryable: true,
        cause,
      });
    });
    if (reply.kind === 'failed') throw fromPlainError(reply.error);
    return reply;
  }

  try {
    // The pool gives a task to an idle thread while there is one: as many tasks as threads warm each of them.
    // All of them are waited for also when one fails: a runtime that is ended while it opens a session aborts the process.
    const warmed = await Promise.allSettled(Array.from({ length: threads }, () => run({ kind: 'warm-up' })));
    const failed = warmed.find((warm) => warm.status === 'rejected');
    if (failed) throw failed.reason;
  } catch (error) {
    await pool.destroy();
    throw error;
  }
  return {
    async classify(image) {
      const owned = ownBuffer(image);
      const reply = await run({ kind: 'classify', image: owned }, [owned.buffer]);
      if (reply.kind !== 'classified') throw new Error(`unexpected reply ${reply.kind}`);
      return reply.findings;
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

/** The image itself where it owns its memory, which then moves to the worker; else a copy (of a slice of Node's pool). */
function ownBuffer(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = image;
  const owns = buffer instanceof ArrayBuffer && image.byteLength === buffer.byteLength;
  return owns ? (image as Uint8Array<ArrayBuffer>) : new Uint8Array(image);
}

/** Threads run compiled code: run from source (tests), it is the build beside it (`npm run build`). */
function workerFile(): string {
  const source = import.meta.url.endsWith('.ts');
  const file = new URL(source ? '../../../dist/lib/classifier/worker.js' : './worker.js', import.meta.url);
  const path = fileURLToPath(file);
  if (!existsSync(path)) {
    throw new VisionscaleError(`${path} is missing`, {
      code: 'not_built',
      hint: 'Build the project: npm run build',
    });
  }
  return path;
}
