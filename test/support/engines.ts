/** Which engines this machine has: tfjs may be absent, and is then skipped by name; with VISIONSCALE_TEST_TFJS=1 it must not be. */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { errorMessage } from '../../src/lib/base/errors.ts';
import { engineNames, type EngineName } from '../../src/lib/models/classifier/classifier.ts';
import { loadTensorFlow } from '../../src/lib/models/classifier/engines/tensorflow.ts';

const tfjsFault = await loadTensorFlow().then(
  () => undefined,
  (error: unknown) => errorMessage(error),
);

/** Those that must work here. */
export const presentEngines: readonly EngineName[] = engineNames.filter(
  (engine) => engine !== 'tfjs' || tfjsFault === undefined,
);

/** A suite for each engine. */
export function describeEngines(run: (engine: EngineName) => void): void {
  for (const engine of engineNames) {
    if (presentEngines.includes(engine)) describe(engine, () => run(engine));
    else if (process.env['VISIONSCALE_TEST_TFJS'] === '1') {
      describe(engine, () => {
        it('is there', () => expect.fail(`VISIONSCALE_TEST_TFJS is set, but ${tfjsFault}`));
      });
    } else {
      describe.skip(`${engine} [skipped: ${tfjsFault}]`, () => {
        it('is skipped', () => undefined);
      });
    }
  }
}

/** A suite that needs TensorFlow: skipped by name where it is absent, failing where it must be there. */
export function describeTfjs(name: string, run: () => void): void {
  if (tfjsFault === undefined) describe(name, run);
  else if (process.env['VISIONSCALE_TEST_TFJS'] === '1') {
    it(`${name}: tfjs is there`, () => expect.fail(`VISIONSCALE_TEST_TFJS is set, but ${tfjsFault}`));
  } else {
    describe.skip(`${name} [skipped: ${tfjsFault}]`, () => {
      it('is skipped', () => undefined);
    });
  }
}

/** How many tensors TensorFlow holds in this thread. */
export function tensorCount(): number {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node') as {
    memory(): { numTensors: number };
  };
  return tf.memory().numTensors;
}
