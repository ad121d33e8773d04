/** What an image is rejected with that does something to its process which no check foresaw. */
import { ImageError } from '../../base/errors.ts';

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
