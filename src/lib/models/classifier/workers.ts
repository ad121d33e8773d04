/** The worker processes that classify images. */
import type { Findings } from '../../base/classification.ts';
import { compiledFile } from '../../base/package.ts';
import { openModelSandbox } from './model-sandbox.ts';
import type { Reply, Task, WorkerSetup } from './protocol.ts';

export interface Workers extends AsyncDisposable {
  classify(image: Uint8Array, signal?: AbortSignal): Promise<Findings>;
}

export interface WorkersOptions {
  setup: WorkerSetup;
  processes: number;
  onNotice: (text: string) => void;
}

/** Resolves when every process has run a first inference; rejects, with nothing left running, when one cannot. */
export async function openWorkers(options: WorkersOptions): Promise<Workers> {
  const module = compiledFile('lib/models/classifier/worker');
  const sandbox = await openModelSandbox<WorkerSetup, Task, Reply>({
    ...options,
    module,
    called: 'a classifier process',
  });
  return {
    classify: (image, signal) => sandbox.run('classify', takeOver(image), signal),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

/**
 * Where the image owns its memory, that is taken from the caller, who could change it while it is sent; else a copy. So it is for
 * memory that native code lent: from Node 22 on, what node-rdkafka and sharp hand out cannot be transferred.
 */
function takeOver(image: Uint8Array): Uint8Array {
  const { buffer } = image;
  if (buffer instanceof ArrayBuffer && image.byteLength === buffer.byteLength) {
    try {
      return structuredClone(image, { transfer: [buffer] });
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'DataCloneError') throw error;
    }
  }
  return new Uint8Array(image);
}
