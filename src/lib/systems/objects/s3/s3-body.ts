/** Reads the body of an S3 response whole, within bounds. */
import type { Readable } from 'node:stream';

/**
 * Null where more than `maxBytes` come. The body is always read to its end or destroyed, so that its socket is free
 * again; a body that stalls or breaks off rejects (the client's socket timeout, Node's check of the length).
 */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop early destroys the stream.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
}
