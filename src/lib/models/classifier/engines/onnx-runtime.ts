/** The engines of ONNX Runtime: `onnx` is native; `wasm`, compiled to WebAssembly, is slower and runs wherever Node does. */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-web';
import { errorMessage, VisionscaleError } from '../../../base/errors.ts';
import { invalidModel } from '../../format/model-files.ts';
import { noveltyOutput } from '../../onnx/graph.ts';
import { checkFile } from '../../onnx/scan.ts';
import type { Device } from '../classifier.ts';
import type { Answers, Engine, EngineSession } from './engine.ts';

export const onnxEngine: Engine = {
  name: 'onnx',
  async open(weights, { side, device = 'cpu' }) {
    const ort = await loadNative();
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

async function loadNative() {
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
      `onnxruntime-node does not support the device ${device} on ${process.platform}-${process.arch}`,
      { code: 'device_unavailable', hint: `Supported here: ${names}. The default is --device cpu.` },
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
    hint: `${hints[device] ?? 'Is the device there, with its driver, for this user?'}\nOr use --device cpu.`,
    cause,
  });
}

const cuda =
  'It needs an NVIDIA GPU, CUDA 12 and cuDNN 9, and the libraries that onnxruntime-node fetches with:\n' +
  'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --foreground-scripts';
const hints: Partial<Record<Device, string>> = { cuda, tensorrt: `${cuda}\nand TensorRT beside them.` };

export const wasmEngine: Engine = {
  name: 'wasm',
  async open(weights, { side }) {
    const ort = await loadWasm();
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'fatal'; // what goes wrong is thrown, too
    return openOrtSession(ort, weights, side, {
      executionProviders: ['wasm'],
      executionMode: 'sequential',
      logSeverityLevel: 4,
    });
  },
};

async function loadWasm() {
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

// A session of ONNX Runtime; the native and the WebAssembly package have the same API.

interface OrtRuntime {
  InferenceSession: InferenceSessionFactory;
  Tensor: TensorConstructor;
}

/** What goes wrong is thrown; nothing is printed beside it. */
const quiet = { logSeverityLevel: 4 } as const;

/**
 * Opens and checks a session: exactly one float32 input of RGB images and one output, behind which there may be that of
 * novelty. Throws `model_invalid`, or what
 * `explain` makes of the runtime's refusal to open it.
 */
async function openOrtSession(
  ort: OrtRuntime,
  weights: Uint8Array,
  side: number,
  options: InferenceSession.SessionOptions,
  explain: (cause: unknown) => VisionscaleError = invalidWeights,
): Promise<EngineSession> {
  checkFile(weights);
  // From memory, so that there is no directory whose files the runtime could fetch. The runtimes take no shared memory; they
  // copy what they keep.
  const session = await ort.InferenceSession.create(weights.slice(), options).catch((cause: unknown) => {
    throw explain(cause);
  });
  try {
    checkInputs(session, side);
  } catch (error) {
    await session.release();
    throw error;
  }
  const input = session.inputNames[0]!;
  const [output, novelty] = session.outputNames as [string, string?];
  let released: Promise<void> | undefined;
  return {
    async run(images, count) {
      const tensor = new ort.Tensor('float32', images, [count, 3, side, side]);
      const results = await session.run({ [input]: tensor }, quiet);
      const floats = (name: string): Float32Array => {
        const values = results[name]?.data;
        if (values instanceof Float32Array) return values;
        throw invalidModel(`the model’s output ${name} is not float32`, {
          hint: 'Export it with float32 outputs, or add it: visionscale model add converts it.',
        });
      };
      const answers: Answers = { scores: floats(output) };
      if (novelty !== undefined) answers.novelty = floats(novelty);
      return answers;
    },
    [Symbol.asyncDispose]: () => (released ??= session.release()),
  };
}

function invalidWeights(cause: unknown): VisionscaleError {
  return invalidModel(`the weights cannot be loaded: ${errorMessage(cause).trim()}`, {
    hint: 'They must be an ONNX model that ONNX Runtime supports; was the file downloaded completely?',
    cause,
  });
}

function checkInputs(session: InferenceSession, side: number): void {
  const isScores = session.outputNames.slice(1).every((name) => name === noveltyOutput);
  if (session.inputNames.length !== 1 || session.outputNames.length === 0 || !isScores) {
    const inputs = session.inputNames.join(', ');
    const outputs = session.outputNames.join(', ');
    throw invalidModel(
      `the model has inputs ${inputs} and outputs ${outputs}; a classifier has one of each`,
      {
        hint: 'Export the network with the image as its only input and the scores as its only output.',
      },
    );
  }
  const input = session.inputMetadata[0];
  if (!input?.isTensor || input.type !== 'float32') {
    throw invalidModel(`the model’s input is ${input?.isTensor ? input.type : 'not a tensor'}, not float32`, {
      hint: 'Export it with a float32 image input, or add it: visionscale model add converts it.',
    });
  }
  const expected = [1, 3, side, side];
  const fits =
    input.shape.length === 4 &&
    input.shape.every((size, i) => typeof size === 'string' || size === expected[i]);
  if (!fits) {
    throw invalidModel(
      `the model’s input has the shape ${input.shape.join('×')}, not ${expected.join('×')}`,
      {
        hint: 'Set preprocessing.crop (and resize) in model.json, or add it: visionscale model add converts other layouts.',
      },
    );
  }
}
