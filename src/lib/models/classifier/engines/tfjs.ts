/** TensorFlow, native: an optional dependency. It has no reader of ONNX: the network is rebuilt, so it must be SqueezeNet 1.1. */
import { VisionscaleError } from '../../../base/errors.ts';
import { invalidModel } from '../../format/model-files.ts';
import { noveltyOf, readNovelty, type NoveltyLayer } from '../../onnx/novelty.ts';
import { parseOnnx } from '../../onnx/onnx.ts';
import { blocks, classifier, stem, type Convolution } from '../../onnx/squeezenet-layout.ts';
import { readSqueezeNet11, type SqueezeNet11 } from '../../onnx/squeezenet-read.ts';
import type { Answers, Engine } from './engine.ts';
import { loadTensorFlow, type InferenceTensor, type InferenceTensorFlow } from './tensorflow.ts';

export const tfjsEngine: Engine = {
  name: 'tfjs',
  async open(weights, { side }) {
    const tf = await loadTensorFlow();
    const network = readNetwork(weights, side);
    const { novelty } = network;
    const graph = squeezeNetGraph(tf, network);

    function answers(images: Float32Array, count: number): Answers {
      const results = tf.tidy(() => {
        const nchw = tf.tensor(images, [count, 3, side, side]);
        const { scores, features } = graph.answers(tf.transpose(nchw, [0, 2, 3, 1]));
        return novelty === undefined ? [scores] : [scores, features];
      });
      try {
        const [scores, features] = results.map((tensor) => tensor.dataSync());
        return novelty === undefined
          ? { scores: scores! }
          : { scores: scores!, novelty: novelties(novelty, features!) };
      } finally {
        for (const tensor of results) tensor.dispose();
      }
    }

    return {
      run: (images, count) => Promise.resolve(answers(images, count)),
      [Symbol.asyncDispose]: () => Promise.resolve(graph.dispose()),
    };
  },
};

/** Few numbers beside the network's: they are computed here. */
function novelties(layer: NoveltyLayer, rows: Float32Array): Float32Array {
  const { features } = layer;
  return Float32Array.from({ length: rows.length / features }, (_, i) =>
    noveltyOf(layer, rows.subarray(i * features, (i + 1) * features)),
  );
}

function readNetwork(weights: Uint8Array, side: number): SqueezeNet11 & { novelty?: NoveltyLayer | undefined } {
  let reason: string;
  try {
    const model = parseOnnx(weights);
    const network = { ...readSqueezeNet11(model), novelty: readNovelty(model) };
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

/** SqueezeNet 1.1 in TensorFlow's operations, with the weights that an ONNX file holds. */
interface SqueezeNetGraph {
  /** Scores [count, classes] and features [count, 512] of images [count, side, side, 3]. The caller tidies. */
  answers(images: InferenceTensor): { scores: InferenceTensor; features: InferenceTensor };
  dispose(): void;
}

const toHwio = [2, 3, 1, 0]; // from ONNX's OIHW
const channels = 3;

/** Keeps the weights as tensors until `dispose`. */
function squeezeNetGraph(tf: InferenceTensorFlow, network: SqueezeNet11): SqueezeNetGraph {
  const constants = new Map<string, InferenceTensor>();
  for (const [name, { dims, data }] of network.weights) {
    const make = () => tf.tensor(data, dims);
    constants.set(name, dims.length === 4 ? tf.tidy(() => tf.transpose(make(), toHwio)) : make());
  }

  function convolve(x: InferenceTensor, { name }: Convolution, { strides = 1, relu = true } = {}): InferenceTensor {
    const pad = name === stem.name ? 'valid' : 'same'; // as the ONNX graph pads: none, and one pixel for 3×3
    const sums = tf.conv2d(x, constants.get(`${name}.weight`)!, strides, pad);
    const biased = tf.add(sums, constants.get(`${name}.bias`)!);
    return relu ? tf.relu(biased) : biased;
  }

  return {
    answers(images) {
      let x = convolve(images, stem, { strides: 2 });
      for (const block of blocks) {
        if (block === 'pool') {
          // Of an input size that is let through nothing is left over at the edges, so rounding up (ceil_mode) makes no difference.
          x = tf.maxPool(x, 3, 2, 'valid');
          continue;
        }
        const squeezed = convolve(x, block.squeeze);
        const halves = [convolve(squeezed, block.expand1x1), convolve(squeezed, block.expand3x3)];
        x = tf.concat(halves, channels);
      }
      const last = convolve(x, classifier(network.classes), { relu: network.finalRelu });
      return { scores: tf.mean(last, [1, 2]), features: tf.mean(x, [1, 2]) };
    },
    dispose() {
      for (const tensor of constants.values()) tensor.dispose();
      constants.clear();
    },
  };
}
