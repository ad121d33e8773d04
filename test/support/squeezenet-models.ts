/** SqueezeNets without training: one that tells colours, as `tiny-models.ts` do, and one with weights by chance. */
import { serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { convolutions, weightDims } from '../../src/lib/models/onnx/squeezenet-layout.ts';
import { buildSqueezeNet11, type SqueezeNetWeights } from '../../src/lib/models/onnx/squeezenet.ts';

/** Files for `writeTinyModel`: samples between 0 and 1, no resizing of images of 224 pixels. */
export function squeezeNetFiles(weights: Uint8Array) {
  const preprocessing = { resize: 224, crop: 224, mean: [0, 0, 0], std: [1, 1, 1] };
  return {
    'model.onnx': weights,
    'model.json': JSON.stringify({ name: 'tiny', version: '1', preprocessing }),
  };
}

/** Three classes, whose scores are the red, green and blue of an image of one colour. */
export function colourSqueezeNet(): Uint8Array {
  return squeezeNet(3, ({ name, inputs, kernel }, data) => {
    if (name.endsWith('expand3x3')) return; // the colours go through expand1x1, which is first in the sum of both
    const centre = (kernel * kernel - 1) / 2;
    for (let c = 0; c < 3; c++) data[(c * inputs + c) * kernel * kernel + centre] = 1;
  });
}

/** Every weight plays a part: scores of `classes` classes that differ from image to image. */
export function chanceSqueezeNet(classes = 10, inputSize = 224): Uint8Array {
  const next = chance();
  return squeezeNet(
    classes,
    ({ inputs, kernel }, data) => {
      const spread = Math.sqrt(6 / (inputs * kernel * kernel)); // keeps the signal's size through the layers
      for (let i = 0; i < data.length; i++) data[i] = (2 * next() - 1) * spread;
    },
    inputSize,
  );
}

/** Numbers from 0 to 1, the same at every run. */
export function chance(seed = 1): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

type Layer = ReturnType<typeof convolutions>[number];

function squeezeNet(
  classes: number,
  fill: (layer: Layer, data: Float32Array) => void,
  inputSize = 224,
): Uint8Array {
  const weights: SqueezeNetWeights = new Map();
  for (const layer of convolutions(classes)) {
    const dims = weightDims(layer);
    const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    fill(layer, data);
    weights.set(`${layer.name}.weight`, { dims, data });
    weights.set(`${layer.name}.bias`, { dims: [layer.outputs], data: new Float32Array(layer.outputs) });
  }
  return serializeOnnx(buildSqueezeNet11(weights, { inputSize }));
}
