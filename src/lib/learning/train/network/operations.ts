/** The network's operations and their gradients, each one native operation where tfjs's own gradient takes several. */
import type { Attribute, Tensor, TensorFlow } from './tensorflow.ts';

/** Images [N,H,W,C]; the caller tidies. */
export interface Operations {
  convolve(x: Tensor, kernel: Tensor, stride: number, pad: Padding): Tensor;
  /** Of a convolution: by its kernel. */
  kernelGradient(x: Tensor, kernel: Tensor, gradient: Tensor, stride: number, pad: Padding): Tensor;
  /** Of a convolution with stride 1: by its input. */
  inputGradient(x: Tensor, kernel: Tensor, gradient: Tensor): Tensor;
  addBias(x: Tensor, bias: Tensor): Tensor;
  biasGradient(gradient: Tensor): Tensor;
  /** `y` is what `relu` returned. */
  reluGradient(gradient: Tensor, y: Tensor): Tensor;
  /** 3×3, stride 2, no padding. */
  pool(x: Tensor): Pooled;
  /** Every channel to mean 0 and variance 1 over the batch, then moved by `offset`. */
  normalise(x: Tensor, offset: Tensor): Normalised;
}

export interface Pooled {
  y: Tensor;
  gradient(of: Tensor): Tensor;
}

export interface Normalised {
  y: Tensor;
  /** Of the batch, by channel. */
  mean: Tensor;
  variance: Tensor;
  gradient(of: Tensor): { x: Tensor; offset: Tensor };
}

/** What `normalise` adds to a variance before it divides by its root. */
export const normalisationEpsilon = 1e-5;

export type Padding = 'same' | 'valid';

/** tfjs's ReLU and pooling gradients took most of a training step; these are 6 and 20 times faster (measured). */
export function openOperations(tf: TensorFlow): Operations {
  const backend = tf.backend();
  const { binding } = backend;
  const float: Attribute = { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
  const ints = (name: string, value: number[]) => ({ name, type: binding.TF_ATTR_INT, value });
  const text = (name: string, value: string) => ({ name, type: binding.TF_ATTR_STRING, value });
  const nhwc = text('data_format', 'NHWC');
  const run = (name: string, attributes: Attribute[], ...inputs: Tensor[]) =>
    backend.executeSingleOutput(name, [float, ...attributes], inputs);
  const convolution = (stride: number, pad: Padding) => [
    ints('strides', [1, stride, stride, 1]),
    text('padding', pad.toUpperCase()),
    nhwc,
  ];
  const sizes = (x: Tensor) => tf.tensor(Int32Array.from(x.shape), [x.shape.length], 'int32');
  const pooling = [
    ints('ksize', [1, 3, 3, 1]),
    ints('strides', [1, 2, 2, 1]),
    text('padding', 'VALID'),
    nhwc,
  ];

  function plainPool(x: Tensor): Pooled {
    const y = tf.maxPool(x, 3, 2, 'valid');
    return { y, gradient: (of) => run('MaxPoolGrad', pooling, x, y, of) };
  }

  const oneDnn = [
    ...pooling,
    text('_kernel', 'MklNameChangeOp'),
    { name: 'workspace_enabled', type: binding.TF_ATTR_BOOL, value: true },
  ];
  function oneDnnPool(x: Tensor): Pooled {
    const outputs = backend.executeMultipleOutputs('_MklNativeMaxPool', [float, ...oneDnn], [x], 2);
    const [y, workspace] = outputs as [Tensor, Tensor];
    return { y, gradient: (of) => run('_MklNativeMaxPoolGrad', oneDnn, x, y, of, workspace) };
  }

  const normalisation = [
    { name: 'U', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: normalisationEpsilon },
    nhwc,
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: true },
  ];
  function normalise(x: Tensor, offset: Tensor): Normalised {
    const scale = tf.ones(offset.shape);
    const none = tf.zeros([0]);
    const inputs = [x, scale, offset, none, none];
    const outputs = backend.executeMultipleOutputs('FusedBatchNormV3', [float, ...normalisation], inputs, 6);
    const [y, mean, variance, ...reserved] = outputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    return {
      y,
      mean,
      variance,
      gradient(of) {
        const inputs = [of, x, scale, ...reserved];
        const name = 'FusedBatchNormGradV3';
        const found = backend.executeMultipleOutputs(name, [float, ...normalisation], inputs, 5);
        return { x: found[0]!, offset: found[2]! };
      },
    };
  }

  return {
    normalise,
    convolve: (x, kernel, stride, pad) => run('Conv2D', convolution(stride, pad), x, kernel),
    kernelGradient: (x, kernel, gradient, stride, pad) =>
      run('Conv2DBackpropFilter', convolution(stride, pad), x, sizes(kernel), gradient),
    inputGradient: (x, kernel, gradient) =>
      run('Conv2DBackpropInput', convolution(1, 'same'), sizes(x), kernel, gradient),
    addBias: (x, bias) => run('BiasAdd', [nhwc], x, bias),
    biasGradient: (gradient) => run('BiasAddGrad', [nhwc], gradient),
    reluGradient: (gradient, y) => run('ReluGrad', [], gradient, y),
    pool: agree(tf, plainPool, oneDnnPool) ? oneDnnPool : plainPool,
  };
}

/** oneDNN's pooling remembers where each maximum was; it is not in every build of TensorFlow, nor on every processor. */
function agree(tf: TensorFlow, plain: (x: Tensor) => Pooled, fast: (x: Tensor) => Pooled): boolean {
  const side = 7;
  const values = Float32Array.from({ length: 2 * side * side * 8 }, (_, i) => Math.sin(i * 12.9898) * 3);
  const answers = (pool: (x: Tensor) => Pooled): number[] => {
    const result = tf.tidy(() => {
      const x = tf.tensor(values, [2, side, side, 8]);
      const pooled = pool(x);
      const gradient = pooled.gradient(pooled.y);
      return tf.concat([tf.reshape(pooled.y, [-1]), tf.reshape(gradient, [-1])], 0);
    });
    const all = [...result.dataSync()];
    result.dispose();
    return all;
  };
  const expected = answers(plain);
  try {
    return answers(fast).every((value, i) => Math.abs(value - expected[i]!) < 1e-4);
  } catch {
    return false;
  }
}
