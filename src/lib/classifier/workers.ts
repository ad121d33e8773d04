/** The worker threads that classify images. */
import { compiledFile } from '../compiled-file.ts';
import type { Findings } from './classifier.ts';
import type { Reply, Task, WorkerSetup } from './protocol.ts';
import { openWarmPool } from './warm-pool.ts';

export interface Workers extends AsyncDisposable {
  classify(image: Uint8Array): Promise<Findings>;
}

export interface WorkersOptions {
  setup: WorkerSetup;
  threads: number;
  onNotice: (text: string) => void;
}

/** Resolves when every thread has run a first inference; rejects, with nothing left running, when one cannot. */
export async function openWorkers(options: WorkersOptions): Promise<Workers> {
  const filename = compiledFile(import.meta.url, './worker.js');
  const pool = await openWarmPool<Task, Reply>({ ...options, filename, called: 'a classifier thread' });
  return {
    async classify(image) {
      const owned = ownBuffer(image);
      const reply = await pool.run({ kind: 'classify', image: owned }, [owned.buffer]);
      if (reply.kind !== 'classified') throw new Error(`unexpected reply ${reply.kind}`);
      return reply.findings;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** The image itself where it owns its memory, which then moves to the worker; else a copy (of a slice of Node's pool). */
function ownBuffer(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = image;
  const owns = buffer instanceof ArrayBuffer && image.byteLength === buffer.byteLength;
  return owns ? (image as Uint8Array<ArrayBuffer>) : new Uint8Array(image);
}
