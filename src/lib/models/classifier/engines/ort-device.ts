/** Where ONNX Runtime computes: its execution provider for a device, and nothing else in its place. */
import { errorMessage, VisionscaleError } from '../../../base/errors.ts';
import type { Device } from '../classifier.ts';

/** ONNX Runtime puts what a provider cannot execute on the CPU without a word, unless it is told not to. */
const noFallback = { disable_cpu_ep_fallback: '1' };

/** The session options for `device`; `known` are the providers of this build. Throws `device_unavailable`. */
export function deviceOptions(device: Device, known: readonly { name: string }[]) {
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
export function deviceUnavailable(device: Device, cause: unknown): VisionscaleError {
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
