/** What the pool and its worker threads say to each other; errors cross as plain values, for cloning strips their class. */
import { errorMessage, ImageError, VisionscaleError } from '../errors.ts';
import type { ImageLimits } from '../images/limits.ts';
import type { PreprocessMode } from '../images/prepare.ts';
import type { Device, EngineName, Findings } from './classifier.ts';
import type { Lock } from './lock.ts';
import type { LoadedModel } from './model.ts';

/** Given to every worker when it starts. */
export interface WorkerSetup {
  model: LoadedModel;
  engine: EngineName;
  device: Device;
  /** Common to the workers of a pool. */
  lock: Lock;
  limits: ImageLimits;
  autoOrient: boolean;
  preprocess: PreprocessMode;
}

export type Task = { kind: 'warm-up' } | { kind: 'classify'; image: Uint8Array };

export type Reply =
  | { kind: 'ready'; threadId: number }
  | { kind: 'classified'; findings: Findings }
  | { kind: 'failed'; error: PlainError };

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
