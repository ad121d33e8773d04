/** The errors visionscale raises on purpose: each carries a code, whether a retry can help, and what to do. */

export interface ErrorDetails {
  /** Stable, snake_case; written to dead letters and `--json`. */
  code: string;
  /** True where the same call may succeed later without anybody changing anything. */
  retryable?: boolean;
  /** What the user can do about it: one or more lines, printed below the message. */
  hint?: string;
  cause?: unknown;
}

/** An expected failure. Commands print its message and hint without a stack and exit 1. */
export class VisionscaleError extends Error {
  override readonly name: string = 'VisionscaleError';
  readonly code: string;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.retryable = details.retryable ?? false;
    this.hint = details.hint;
  }
}

/** Wrong flags or settings: exit 2. The message lists every fault, one a line. */
export class UsageError extends VisionscaleError {
  override readonly name = 'UsageError';
  constructor(message: string, hint?: string) {
    super(message, hint === undefined ? { code: 'usage' } : { code: 'usage', hint });
  }
}

/** An image that can never be classified as it is: rejected by `upload`, a dead letter in `consume`. */
export class ImageError extends VisionscaleError {
  override readonly name = 'ImageError';
}

/** A fault of the object store. The codes are named in `objects/store.ts`; only `unavailable` and `store_tls` are retryable. */
export class ObjectError extends VisionscaleError {
  override readonly name = 'ObjectError';
  /** Whether it speaks of the one object that was asked for: no setting, right or server is at fault. */
  readonly ofObject: boolean;

  constructor(message: string, details: ErrorDetails & { ofObject?: boolean }) {
    super(message, details);
    this.ofObject = details.ofObject ?? ofOneObject.has(details.code);
  }
}

const ofOneObject = new Set(['not_found', 'too_large', 'bad_key', 'archived']);

/** A fault of the topic: broker away, topic missing, message refused. */
export class TopicError extends VisionscaleError {
  override readonly name = 'TopicError';
}

/** A fault of PostgreSQL or of the way it was started. */
export class DatabaseError extends VisionscaleError {
  override readonly name = 'DatabaseError';
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an expected failure; `unexpected` for anything else. */
export function faultCode(error: unknown): string {
  return error instanceof VisionscaleError ? error.code : 'unexpected';
}

export function isRetryable(error: unknown): boolean {
  return error instanceof VisionscaleError && error.retryable;
}
