/** The error for bytes or graphs that are not what they should be. */
import { VisionscaleError } from '../../base/errors.ts';

/** A VisionscaleError `model_invalid`. */
export function invalidOnnx(message: string, details: { hint?: string; cause?: unknown } = {}) {
  const hint = 'Was the file downloaded completely, and is it an ONNX model?';
  return new VisionscaleError(message, { code: 'model_invalid', hint, ...details });
}
