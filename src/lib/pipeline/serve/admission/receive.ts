/** Reads the bytes of one image as they arrive, and stops at the first sign that they are not to be taken. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { VisionscaleError } from '../../../base/errors.ts';
import { sniffImage } from '../../../models/images/sniff.ts';
import { looksLikeImage } from '../../../systems/message/parse.ts';
import { Problem } from '../problem.ts';
import type { Memory } from './admission.ts';

/** Enough to tell what else it is. */
const sniffBytes = 4100;
/** Below this there is little to be saved by looking before the end. */
const worthLooking = 256 * 1024;

export interface ReceiveOptions {
  /** Largest image, in bytes. */
  maxBytes: number;
  memory: Memory;
  /** Of the image, as far as the sender says. */
  declaredBytes?: number | undefined;
}

/** Throws a Problem (408, 413, 429), or an ImageError for what is no image, as soon as it shows. */
export async function receiveImage(source: Readable, options: ReceiveOptions): Promise<Buffer> {
  const { maxBytes, memory, declaredBytes } = options;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let looked = declaredBytes !== undefined && declaredBytes < worthLooking;
  // Left early, the rest is not ours to destroy: with it would go the connection, and the answer.
  const arriving = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  try {
    for (;;) {
      const step = arriving.next();
      // Whoever is dropped may leave one open.
      step.catch(() => undefined);
      const { done, value: chunk } = await Promise.race([memory.dropped, step]);
      if (done === true) break;
      bytes += chunk.length;
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      memory.take(chunk.length);
      chunks.push(chunk);
      if (!looked && bytes >= sniffBytes) {
        looked = true;
        await refuseForeign(Buffer.concat(chunks));
      }
    }
  } catch (error) {
    if (error instanceof VisionscaleError) throw error;
    throw new Problem(400, 'incomplete', 'the body ended before it was complete', { cause: error });
  } finally {
    void arriving.return?.().catch(() => undefined);
  }
  memory.complete();
  // One that was read whole is not copied.
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** What does not begin like an image is sniffed now for the reason. */
async function refuseForeign(head: Buffer): Promise<void> {
  if (!looksLikeImage(head)) await sniffImage(head);
}

export function bodyTooLarge(maxBytes: number): Problem {
  return new Problem(413, 'too_large', `the image is larger than ${maxBytes} bytes`, {
    hint: 'Save it smaller, or raise VISIONSCALE_MAX_IMAGE_BYTES, here and for the consumers.',
  });
}

const asking = new WeakMap<IncomingMessage, ServerResponse>();

/** Senders that ask before they send (`Expect: 100-continue`) are told to go on only when their body is wanted. */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    asking.set(request, response);
    server.emit('request', request, response);
  });
}

/** The body is about to be read. */
export function invite(request: IncomingMessage): void {
  asking.get(request)?.writeContinue();
  asking.delete(request);
}
