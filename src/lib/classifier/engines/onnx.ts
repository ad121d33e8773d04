/** ONNX Runtime, native: the fastest engine; an optional dependency. */
import { VisionscaleError } from '../../errors.ts';
import type { Engine } from './engine.ts';
import { openOrtSession } from './ort-session.ts';

export const onnxEngine: Engine = {
  name: 'onnx',
  async open(weights, side) {
    return openOrtSession(await load(), weights, side, {
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      // One image a thread is the fastest (measured); a spinning pool would take the cores from the decoders.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      logSeverityLevel: 4, // what goes wrong is thrown, too
    });
  },
};

async function load() {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw new VisionscaleError(
      `onnxruntime-node is not installed or does not load on ${process.platform}-${process.arch}`,
      {
        code: 'engine_unavailable',
        hint: 'Install it for the fastest engine (npm install onnxruntime-node); --engine wasm is slower and runs anywhere.',
        cause,
      },
    );
  }
}
