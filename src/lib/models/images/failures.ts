/** Decoders' own errors, put into the words of an ImageError. */
import { errorMessage, ImageError } from '../../base/errors.ts';

/** What sharp says when libvips gave no reason, or another thread's failure has taken it away. */
export const lostReason = 'Unknown error';

const endedEarly = /premature end|unexpected end|read error|truncated|bad seek|unable to parse image/i;

export function truncated(format: string, cause?: unknown): ImageError {
  return new ImageError(`the ${format} file ends before its pixels do`, {
    code: 'truncated',
    hint: 'It was cut off, perhaps by an interrupted copy: copy or take it again.',
    cause,
  });
}

export function corrupt(format: string, reason: string, cause?: unknown): ImageError {
  return new ImageError(`the ${format} file cannot be decoded: ${reason}`, {
    code: 'corrupt',
    hint: 'Open it in an image viewer: if it shows, save it again as JPEG or PNG.',
    cause,
  });
}

/** What a picture of its format may be, but nothing here reads: `what` names it. */
export function unsupported(what: string): ImageError {
  return new ImageError(`${what} are not supported`, {
    code: 'unsupported_format',
    hint: 'Convert it to JPEG or PNG.',
  });
}

/** An ImageError for what sharp threw at a file whose limits were already checked. */
export function decodeFailure(error: unknown, format: string): ImageError {
  if (error instanceof ImageError) return error;
  const message = errorMessage(error);
  if (endedEarly.test(message)) return truncated(format, error);
  return corrupt(format, reasonIn(message), error);
}

/** libvips does not always say why, and not always briefly. */
function reasonIn(message: string): string {
  if (message === lostReason) return 'its pixels are damaged';
  const [first = ''] = message.replace(/^Input buffer has corrupt header:\s*/, '').split('\n');
  return first.replace(/^\w+: /, '').trim() || 'its header is damaged';
}

// What an image is rejected with that does something to its process which no check foresaw.

/** Its process was ended after so many milliseconds of work. */
export function tooSlow(limitMs: number): ImageError {
  return new ImageError(`the image takes more than ${limitMs / 1000} s of work`, {
    code: 'too_slow',
    hint: 'Save it again as JPEG or PNG, or scale it down; VISIONSCALE_IMAGE_TIMEOUT allows more.',
  });
}

/** Its process died each time. */
export function crashesDecoder(cause: Error): ImageError {
  return new ImageError(`the image ends the process that decodes it: ${cause.message}`, {
    code: 'crashes_process',
    hint: 'Open it in an image viewer: if it shows, save it again as JPEG or PNG. Please keep it for a report.',
    cause,
  });
}

/**
 * Runs `decode`; when it fails without a reason, again, until it tells one: libvips keeps the reasons of failures in one
 * buffer for all threads.
 */
export async function tryDecoding<T>(decode: () => Promise<T>, retries = 5): Promise<T> {
  for (;;) {
    try {
      return await decode();
    } catch (error) {
      if (retries-- === 0 || errorMessage(error) !== lostReason) throw error;
    }
  }
}
