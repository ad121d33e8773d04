/** ONNX Runtime, native: the fastest engine; an optional dependency. */
import { VisionscaleError } from '../../../base/errors.ts';
import type { Engine } from './engine.ts';
import { deviceOptions, deviceUnavailable } from './ort-device.ts';
import { openOrtSession } from './ort-session.ts';

export const onnxEngine: Engine = {
  name: 'onnx',
  async open(weights, { side, device = 'cpu' }) {
    const ort = await load();
    ort.env.logLevel = 'fatal'; // what goes wrong is thrown, too
    const options = {
      ...deviceOptions(device, ort.listSupportedBackends()),
      executionMode: 'sequential',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    } as const;
    const explain = device === 'cpu' ? undefined : (cause: unknown) => deviceUnavailable(device, cause);
    return openOrtSession(ort, weights, side, options, explain);
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
