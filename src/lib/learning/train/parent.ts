/** The network that training starts from: a SqueezeNet 1.1 with float weights. */
import { VisionscaleError } from '../../base/errors.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import { parseOnnx } from '../../models/onnx/onnx.ts';
import { readSqueezeNet11, type SqueezeNet11 } from '../../models/onnx/squeezenet-read.ts';

/** Throws a VisionscaleError `parent_unsuitable`. */
export function readParent({ info, weights }: LoadedModel): SqueezeNet11 {
  try {
    return readSqueezeNet11(parseOnnx(weights));
  } catch (cause) {
    if (!(cause instanceof VisionscaleError)) throw cause;
    throw new VisionscaleError(`nothing can be trained from ${info.name}@${info.version}: ${cause.message}`, {
      code: 'parent_unsuitable',
      hint:
        'Name a SqueezeNet 1.1 with float32 weights: --from squeezenet1_1 (visionscale model pull imagenet gets it).\n' +
        'Of a quantised model, name the one that it was made from.',
      cause,
    });
  }
}
