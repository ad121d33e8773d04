/** ONNX Runtime compiled to WebAssembly: slower than the native one, and runs wherever Node does. */
import { VisionscaleError } from '../../../base/errors.ts';
import type { Engine } from './engine.ts';
import { openOrtSession } from './ort-session.ts';

export const wasmEngine: Engine = {
  name: 'wasm',
  async open(weights, { side }) {
    const ort = await load();
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'fatal'; // what goes wrong is thrown, too
    return openOrtSession(ort, weights, side, {
      executionProviders: ['wasm'],
      executionMode: 'sequential',
      logSeverityLevel: 4,
    });
  },
};

async function load() {
  try {
    // In Node this entry reads its .wasm from the package's own directory.
    return await import('onnxruntime-web');
  } catch (cause) {
    throw new VisionscaleError('onnxruntime-web does not load', {
      code: 'engine_unavailable',
      hint: 'Install visionscale again: its dependencies are incomplete.',
      cause,
    });
  }
}
