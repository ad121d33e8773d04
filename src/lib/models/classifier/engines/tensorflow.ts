/** Loads @tensorflow/tfjs-node, which users bring themselves, and describes what of it is used. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import util from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { errorMessage, VisionscaleError } from '../../../base/errors.ts';
import { packageRoot } from '../../../base/package.ts';
import { prepareTensorFlow } from '../../../base/sandbox/native-environment.ts';

/** Owns memory outside of the JavaScript heap until it is disposed of (or the `tidy` around it ends). */
export interface InferenceTensor {
  dispose(): void;
  dataSync(): Float32Array;
}

/** A string to the compiler, so that it asks for no types: the package may be absent where this is compiled. */
const packageName: string = '@tensorflow/tfjs-node';

/** Images are NHWC, kernels HWIO. */
export interface InferenceTensorFlow {
  tensor(values: Float32Array, shape: readonly number[]): InferenceTensor;
  transpose(x: InferenceTensor, order: readonly number[]): InferenceTensor;
  conv2d(x: InferenceTensor, kernel: InferenceTensor, strides: number, pad: 'same' | 'valid'): InferenceTensor;
  add(a: InferenceTensor, b: InferenceTensor): InferenceTensor;
  relu(x: InferenceTensor): InferenceTensor;
  maxPool(x: InferenceTensor, size: number, strides: number, pad: 'same' | 'valid'): InferenceTensor;
  concat(parts: InferenceTensor[], axis: number): InferenceTensor;
  mean(x: InferenceTensor, axes: readonly number[]): InferenceTensor;
  /** Disposes of every tensor made in `run`, except those that it returns. */
  tidy<T extends InferenceTensor | InferenceTensor[]>(run: () => T): T;
  memory(): { numTensors: number };
}

/** The version that everything was measured with. */
const wanted = `${packageName}@4.22.0`;

/**
 * The line that brings it: no installation of ours does, for its script fetches a library that nobody can check. npm
 * leaves out what a checkout's own package.json names as an optional peer, unless it is told to be for development.
 */
export function tensorFlowInstall(root: string = packageRoot): string {
  const above = dirname(root);
  if (basename(above) !== 'node_modules') return `npm install --no-save --save-dev ${wanted}`;
  const isOfProject = existsSync(join(dirname(above), 'package.json'));
  return `npm install ${isOfProject ? '' : '-g '}${wanted}`;
}

/** Below a message that it is missing. */
export function tensorFlowHint(): string {
  return `Run: ${tensorFlowInstall()} (downloads libtensorflow from storage.googleapis.com).`;
}

/** Throws `engine_unavailable` where the package is absent, was not compiled, or has no libtensorflow. */
export async function loadTensorFlow(): Promise<InferenceTensorFlow> {
  if (isMainThread) prepareTensorFlow(); // for worker threads the pool does it
  // tfjs-node calls both; Node 22 warns of them and Node 23 has them no more.
  Object.assign(util, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  });
  try {
    const { default: tf } = (await import(packageName)) as { default: InferenceTensorFlow };
    return tf;
  } catch (cause) {
    const [reason] = errorMessage(cause).split('\n');
    throw new VisionscaleError(`@tensorflow/tfjs-node is not installed or does not load: ${reason}`, {
      code: 'engine_unavailable',
      hint: `${tensorFlowHint()}\nOr use --engine onnx, which is faster, or --engine wasm.`,
      cause,
    });
  }
}
