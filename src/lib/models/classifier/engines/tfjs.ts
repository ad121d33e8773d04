/** TensorFlow, native: an optional dependency. It has no reader of ONNX: the network is rebuilt, so it must be SqueezeNet 1.1. */
import { VisionscaleError } from '../../../base/errors.ts';
import { invalidModel } from '../../format/model-files.ts';
import { parseOnnx } from '../../onnx/onnx.ts';
import { readSqueezeNet11, type SqueezeNet11 } from '../../onnx/squeezenet-read.ts';
import type { Engine } from './engine.ts';
import { squeezeNetGraph } from './squeezenet-graph.ts';
import { loadTensorFlow } from './tensorflow.ts';

export const tfjsEngine: Engine = {
  name: 'tfjs',
  async open(weights, { side }) {
    const tf = await loadTensorFlow();
    const graph = squeezeNetGraph(tf, readNetwork(weights, side));

    function scores(images: Float32Array, count: number): Float32Array {
      const result = tf.tidy(() => {
        const nchw = tf.tensor(images, [count, 3, side, side]);
        return graph.scores(tf.transpose(nchw, [0, 2, 3, 1]));
      });
      try {
        return result.dataSync();
      } finally {
        result.dispose();
      }
    }

    return {
      run: (images, count) => Promise.resolve(scores(images, count)),
      [Symbol.asyncDispose]: () => Promise.resolve(graph.dispose()),
    };
  },
};

function readNetwork(weights: Uint8Array, side: number): SqueezeNet11 {
  let reason: string;
  try {
    const network = readSqueezeNet11(parseOnnx(weights));
    if (side === network.inputSize) return network;
    reason = `its images have ${network.inputSize} pixels a side, not the ${side} that model.json says`;
  } catch (cause) {
    if (!(cause instanceof VisionscaleError)) throw cause;
    throw unsupported(cause.message, cause);
  }
  throw unsupported(reason);
}

function unsupported(reason: string, cause?: VisionscaleError): VisionscaleError {
  return invalidModel(`the engine tfjs executes SqueezeNet 1.1 only: ${reason}`, {
    hint: 'Use --engine onnx or --engine wasm: they execute any ONNX model.',
    ...(cause !== undefined && { cause }),
  });
}
