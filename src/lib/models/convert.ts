/** A `.pth` file with the weights of SqueezeNet 1.1 to an ONNX file. */
import { serializeOnnx } from '../onnx/onnx.ts';
import { buildSqueezeNet11 } from '../onnx/squeezenet.ts';
import { readPth } from './pth/read.ts';

/** Runs nothing of the file. Throws a VisionscaleError: `model_unsafe`, `model_invalid`. */
export function pthToOnnx(bytes: Uint8Array): Uint8Array {
  return serializeOnnx(buildSqueezeNet11(readPth(bytes)));
}
