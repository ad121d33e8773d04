/** A session of ONNX Runtime; the native and the WebAssembly package have the same API. */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-web';
import { errorMessage, type VisionscaleError } from '../../../base/errors.ts';
import { invalidModel } from '../../format/model-files.ts';
import { checkFile } from '../../onnx/scan.ts';
import type { EngineSession } from './engine.ts';

export interface OrtRuntime {
  InferenceSession: InferenceSessionFactory;
  Tensor: TensorConstructor;
}

/** What goes wrong is thrown; nothing is printed beside it. */
const quiet = { logSeverityLevel: 4 } as const;

/**
 * Opens and checks a session: exactly one float32 input of RGB images and one output. Throws `model_invalid`, or what
 * `explain` makes of the runtime's refusal to open it.
 */
export async function openOrtSession(
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
  const output = session.outputNames[0]!;
  let released: Promise<void> | undefined;
  return {
    async run(images, count) {
      const tensor = new ort.Tensor('float32', images, [count, 3, side, side]);
      const results = await session.run({ [input]: tensor }, quiet);
      const scores = results[output]?.data;
      if (!(scores instanceof Float32Array)) {
        throw invalidModel('the model’s output is not float32', { hint: 'Export it with float32 outputs.' });
      }
      return scores;
    },
    [Symbol.asyncDispose]: () => (released ??= session.release()),
  };
}

function invalidWeights(cause: unknown): VisionscaleError {
  return invalidModel(`the weights cannot be loaded: ${errorMessage(cause).trim()}`, {
    hint: 'They must be an ONNX model that ONNX Runtime knows; was the file downloaded completely?',
    cause,
  });
}

function checkInputs(session: InferenceSession, side: number): void {
  if (session.inputNames.length !== 1 || session.outputNames.length !== 1) {
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
      hint: 'Export it with a float32 image input.',
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
        hint: 'Say preprocessing.crop (and resize) in model.json, or export the network for NCHW images, batch 1 or dynamic.',
      },
    );
  }
}
