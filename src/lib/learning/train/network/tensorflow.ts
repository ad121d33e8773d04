/** What training uses of TensorFlow: a few functions of tfjs, and native operations by name with their attributes. */
import { VisionscaleError } from '../../../base/errors.ts';
import { prepareTensorFlow } from '../../../base/sandbox/native-environment.ts';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import {
  loadTensorFlow,
  tensorFlowHint,
  type InferenceTensor,
} from '../../../models/classifier/engines/tensorflow.ts';

export interface Tensor extends InferenceTensor {
  readonly shape: number[];
}

export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}

interface NativeBackend {
  binding: Record<
    'TF_ATTR_STRING' | 'TF_ATTR_INT' | 'TF_ATTR_BOOL' | 'TF_ATTR_TYPE' | 'TF_ATTR_FLOAT' | 'TF_FLOAT',
    number
  >;
  executeSingleOutput(name: string, attributes: Attribute[], inputs: Tensor[]): Tensor;
  executeMultipleOutputs(name: string, attributes: Attribute[], inputs: Tensor[], outputs: number): Tensor[];
}

/** Images are NHWC, kernels HWIO. */
export interface TensorFlow {
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: 'float32' | 'int32'): Tensor;
  scalar(value: number): Tensor;
  ones(shape: readonly number[]): Tensor;
  zeros(shape: readonly number[]): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order: readonly number[]): Tensor;
  conv2d(x: Tensor, kernel: Tensor, strides: number, pad: 'same' | 'valid'): Tensor;
  maxPool(x: Tensor, size: number, strides: number, pad: 'same' | 'valid'): Tensor;
  relu(x: Tensor): Tensor;
  concat(parts: Tensor[], axis: number): Tensor;
  split(x: Tensor, sizes: number | number[], axis: number): Tensor[];
  mean(x: Tensor, axes: readonly number[]): Tensor;
  sum(x: Tensor, axes?: readonly number[]): Tensor;
  tile(x: Tensor, times: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;
  image: {
    cropAndResize(
      images: Tensor,
      boxes: Tensor,
      of: Tensor,
      size: [number, number],
      method: 'bilinear',
      outside: number,
    ): Tensor;
  };
  keep<T extends Tensor>(x: T): T;
  /** Disposes of every tensor made in `run`, except those that it returns. */
  tidy<T extends Tensor | Tensor[] | Record<string, Tensor | Tensor[]>>(run: () => T): T;
  dispose(tensors: Tensor | Tensor[] | Record<string, Tensor | Tensor[]>): void;
  memory(): { numTensors: number };
  backend(): NativeBackend;
}

/** Throws `engine_unavailable`, saying how to get it. */
export async function loadForTraining(): Promise<TensorFlow> {
  prepareTensorFlow(usableCores()); // one training takes all cores, where many sessions take one each
  try {
    return (await loadTensorFlow()) as unknown as TensorFlow;
  } catch (cause) {
    if (!(cause instanceof VisionscaleError)) throw cause;
    throw new VisionscaleError(`training from scratch needs TensorFlow: ${cause.message}`, {
      code: cause.code,
      hint: `${tensorFlowHint()}\nOr use --mode head, which trains the last layer without it.`,
      cause,
    });
  }
}
