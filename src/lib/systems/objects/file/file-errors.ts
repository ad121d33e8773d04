/** What the file system says, as ObjectErrors. */
import { errorMessage, ObjectError, VisionscaleError } from '../../../base/errors.ts';
import { badKey, quoteKey } from '../store.ts';

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

export function rootMissing(url: string, cause: unknown): ObjectError {
  return new ObjectError(`the object store's directory is missing: ${url}`, {
    code: 'bucket_missing',
    hint: 'Run `visionscale init` to make it; if it is on another disk, mount that first.',
    cause,
  });
}

/** Errors that are ours already, and aborts, stay as they are. */
export function fileError(error: unknown, url: string, key?: string): unknown {
  if (error instanceof VisionscaleError || !hasCodeAtAll(error)) return error;
  const what = key === undefined ? url : `${quoteKey(key)} in ${url}`;
  if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP') && key !== undefined) {
    // Changed under our hands: between two steps of one call something was removed or replaced.
    return new ObjectError(`${what} changed while it was used`, {
      code: 'unavailable',
      retryable: true,
      cause: error,
    });
  }
  if (hasCode(error, 'ENAMETOOLONG') && key !== undefined) {
    return badKey(key, `the file system of ${url} takes no paths that long`, error);
  }
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new ObjectError(`access denied to ${what}: ${errorMessage(error)}`, {
      code: 'access_denied',
      hint: 'Let the user that runs visionscale read and write that directory.',
      cause: error,
    });
  }
  const full = hasCode(error, 'ENOSPC', 'EDQUOT');
  return new ObjectError(`cannot use ${what}: ${errorMessage(error)}`, {
    code: 'unavailable',
    retryable: true,
    ...(full && { hint: 'The disk or its quota is full: free some space.' }),
    cause: error,
  });
}

function hasCodeAtAll(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
