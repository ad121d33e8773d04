/** Errors between threads and processes: as plain values, for cloning strips their class. */
import { errorMessage, ImageError, VisionscaleError } from '../errors.ts';

export interface PlainError {
  name: string;
  message: string;
  code: string;
  retryable: boolean;
  hint: string | undefined;
  cause: string | undefined;
}

export function toPlainError(error: VisionscaleError): PlainError {
  const { name, message, code, retryable, hint, cause } = error;
  return {
    name,
    message,
    code,
    retryable,
    hint,
    cause: cause === undefined ? undefined : errorMessage(cause),
  };
}

export function fromPlainError(plain: PlainError): VisionscaleError {
  const { name, message, code, retryable, hint, cause } = plain;
  const details = {
    code,
    retryable,
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause: new Error(cause) }),
  };
  return name === 'ImageError' ? new ImageError(message, details) : new VisionscaleError(message, details);
}
