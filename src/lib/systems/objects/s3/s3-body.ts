/** Reads bodies of S3 responses within bounds, and undoes their Content-Encoding: some tools store every file compressed. */
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { errorMessage, ImageError } from '../../../base/errors.ts';
import { quoteKey, tooLarge } from '../store.ts';

type Decode = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const unzip: Decode = async (bytes, options) =>
  // What was decoded on the way, by a proxy that left the header, is no gzip any more.
  bytes[0] === 0x1f && bytes[1] === 0x8b ? promisify(gunzip)(bytes, options) : bytes;

const decoders = new Map<string, Decode>([
  ['gzip', unzip],
  ['x-gzip', unzip],
  // Meant is zlib's format; some send the bare stream.
  ['deflate', (bytes, options) => promisify(isZlib(bytes) ? inflate : inflateRaw)(bytes, options)],
  ['br', promisify(brotliDecompress)],
]);

/** Ways to send a body that some servers keep as if they were the object's own, and what changes nothing. */
const ofTheWay = new Set(['', 'identity', 'aws-chunked']);
/** More than one is hardly ever meant, and each takes time and memory. */
const mostLayers = 2;

/** The names in the order in which they were put on. Throws an ImageError `unsupported_encoding`. */
export function encodingsOf(header: string | undefined, key: string): string[] {
  const names = (header ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => !ofTheWay.has(name));
  const unknown = names.find((name) => !decoders.has(name));
  if (unknown === undefined && names.length <= mostLayers) return names;
  const what =
    unknown === undefined ? `${names.length} times over` : `as ${JSON.stringify(unknown.slice(0, 50))}`;
  throw new ImageError(
    `object ${quoteKey(key)} is encoded ${what} (Content-Encoding), which is not supported`,
    {
      code: 'unsupported_encoding',
      hint: `Store it without, or as one of ${[...decoders.keys()].join(', ')}.`,
    },
  );
}

/** Throws `too_large`, as soon as more than `maxBytes` come out, and an ImageError `corrupt`. */
export async function decodeContent(
  bytes: Buffer,
  encodings: readonly string[],
  { key, maxBytes }: { key: string; maxBytes: number },
): Promise<Buffer> {
  let decoded = bytes;
  for (const name of encodings.toReversed()) {
    try {
      decoded = await decoders.get(name)!(decoded, { maxOutputLength: maxBytes });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
        throw tooLarge(key, undefined, maxBytes);
      throw new ImageError(`object ${quoteKey(key)} is not complete ${name}: ${errorMessage(error)}`, {
        code: 'corrupt',
        cause: error,
      });
    }
  }
  return decoded;
}

function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0;
}

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
