/** A `.pth` file with the weights of SqueezeNet 1.1 to an ONNX file. */
import { serializeOnnx } from '../onnx/onnx.ts';
import { buildSqueezeNet11 } from '../onnx/squeezenet.ts';
import { readPth } from '../pth/read.ts';
import { exportLine, malformed } from '../pth/refuse.ts';

/** Runs nothing of the file. Throws a VisionscaleError: `model_unsafe`, `model_invalid`. */
export function pthToOnnx(bytes: Uint8Array): Uint8Array {
  const weights = readPth(bytes);
  if (!weights.has('features.0.weight')) {
    const names = [...weights.keys()];
    const shown = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
    throw malformed(
      `it holds the weights of another network (${names.length} tensors: ${shown})`,
      `Only those of torchvision’s squeezenet1_1 are read. Export another network: ${exportLine}`,
    );
  }
  return serializeOnnx(buildSqueezeNet11(weights));
}
