/** Reads a found file whole, within bounds, or says why it is rejected. */
import { constants, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { ImageError } from '../errors.ts';
import { readFault } from './walk.ts';

/** Throws an ImageError where the file is too large, gone, unreadable or being written. */
export async function readImageFile(file: string, maxBytes: number): Promise<Buffer> {
  try {
    // Should it have become a link or a pipe since it was found: not followed, not waited for.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // What an open file is like is known at once; a thread of its own would cost more than the answer.
    const before = fstatSync(handle.fd);
    if (!before.isFile()) throw unreadable('it is not a regular file');
    if (before.size > maxBytes) throw tooManyBytes(before.size, maxBytes);
    const bytes = Buffer.allocUnsafe(before.size);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    const after = fstatSync(handle.fd);
    if (filled !== after.size || before.size !== after.size || before.mtimeMs !== after.mtimeMs) {
      throw unreadable('it changed while it was read');
    }
    return bytes;
  } catch (error) {
    throw error instanceof ImageError ? error : unreadable(readFault(error), error);
  }
}

export function tooManyBytes(bytes: number, maxBytes: number): ImageError {
  return new ImageError(`it has ${bytes} bytes, more than the ${maxBytes} allowed`, {
    code: 'too_large',
    hint: 'Raise VISIONSCALE_MAX_IMAGE_BYTES, here and for the consumers, if it is an image.',
  });
}

function unreadable(reason: string, cause?: unknown): ImageError {
  return new ImageError(reason, { code: 'unreadable', cause });
}
