/** ONNX Runtime, native: the fastest engine; an optional dependency. */
import { VisionscaleError, errorMessage } from '../../../base/errors.ts';
import type { Device } from '../classifier.ts';
import type { Engine } from './engine.ts';
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

// Where ONNX Runtime computes: its execution provider for a device, and nothing else in its place.

/** ONNX Runtime puts what a provider cannot execute on the CPU without a word, unless it is told not to. */
const noFallback = { disable_cpu_ep_fallback: '1' };

/** The session options for `device`; `known` are the providers of this build. Throws `device_unavailable`. */
function deviceOptions(device: Device, known: readonly { name: string }[]) {
  if (!known.some(({ name }) => name === device)) {
    const names = known.map(({ name }) => name).join(', ');
    throw new VisionscaleError(
      `onnxruntime-node knows no device ${device} on ${process.platform}-${process.arch}`,
      { code: 'device_unavailable', hint: `Here it knows ${names}. The default is --device cpu.` },
    );
  }
  // One image a thread is the fastest (measured); a spinning pool would take the cores from the decoders.
  const threads = { intra_op: { allow_spinning: '0' } };
  return {
    executionProviders: [device],
    extra: { session: device === 'cpu' ? threads : { ...threads, ...noFallback } },
  };
}

/** Why a session cannot be opened on a device that this build of ONNX Runtime knows. */
function deviceUnavailable(device: Device, cause: unknown): VisionscaleError {
  const [reason] = errorMessage(cause).split('\n');
  return new VisionscaleError(`onnxruntime-node cannot execute this model on ${device}: ${reason}`, {
    code: 'device_unavailable',
    hint: `${hints[device] ?? 'Is the device there, with its driver, for this user?'}\nOr leave it out: --device cpu.`,
    cause,
  });
}

const cuda =
  'It needs an NVIDIA GPU, CUDA 12 and cuDNN 9, and the libraries that onnxruntime-node fetches with:\n' +
  'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --foreground-scripts';
const hints: Partial<Record<Device, string>> = { cuda, tensorrt: `${cuda}\nand TensorRT beside them.` };
