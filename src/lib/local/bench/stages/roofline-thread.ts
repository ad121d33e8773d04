/** A thread of the roofline: warms up, waits for its start, then works through the images until its time is over. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import type { EngineName } from '../../../models/classifier/classifier.ts';
import { engines } from '../../../models/classifier/engines/engines.ts';
import type { LoadedModel } from '../../../models/format/model.ts';
import type { ImageLimits } from '../../../models/images/limits.ts';
import { openPrepare, type PreprocessMode } from '../../../models/images/prepare.ts';

export interface RooflineSetup {
  images: readonly Uint8Array[];
  model: LoadedModel;
  engine: EngineName;
  limits: ImageLimits;
  autoOrient: boolean;
  preprocess: PreprocessMode;
  seconds: number;
}

export interface RooflineAnswer {
  count: number;
}

const { images, model, engine, limits, autoOrient, preprocess, seconds } = workerData as RooflineSetup;
const { preprocessing, weights } = model;
const prepare = openPrepare({ preprocessing, mode: preprocess, limits, autoOrient, lend: true });
const session = await engines[engine].open(weights, { side: preprocessing.crop });

async function one(n: number): Promise<void> {
  // Decoders take no shared memory.
  const { input } = await prepare(images[n % images.length]!.slice());
  await session.run(input, 1);
}

for (let n = 0; n < 3; n++) await one(n);
parentPort!.postMessage({ count: 0 } satisfies RooflineAnswer);
await once(parentPort!, 'message');
const until = performance.now() + seconds * 1000;
let count = 0;
do await one(count++);
while (performance.now() < until);
parentPort!.postMessage({ count } satisfies RooflineAnswer);
await session[Symbol.asyncDispose]();
