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
