/** Every kind of bad input: as a message that cannot be read, or as an object that is no good image. */
import sharp, { type Sharp } from 'sharp';
import { slowTiff } from '../support/slow-images.ts';

/** What is sent, and the codes a dead letter for it may carry. */
export interface BadMessage {
  name: string;
  value: Buffer;
  headers: Record<string, string>;
  codes: readonly string[];
  /** One dead letter for all that it asks for, known by its place in the topic and no request id. */
  byPlace?: true;
}

export interface BadObject {
  name: string;
  /** Null: there is no such object. */
  body: Buffer | null;
  codes: readonly string[];
}

/** Limits that the processes are given, so that what is too large need not be huge, and what is too slow soon is. */
export const limits = { maxBytes: 1_500_000, maxPixels: 4_000_000, maxWorkMs: 600 };

const unreadable = ['unreadable_message'];

/** The `n`-th of its kind differs from the others, so that each has an outcome of its own. */
const messages: Record<string, (n: number) => Omit<BadMessage, 'name'>> = {
  'not UTF-8': (n) => message(Buffer.concat([Buffer.from([0xc3, 0x28, 0xff, 0xfe]), Buffer.from(`${n}`)])),
  'leaves its directory': (n) => message(`images/../../etc/passwd ${n}`),
  'control characters': (n) => message(`belt\u0000/${n}\u001b[2J.jpg`),
  'no value': () => message(Buffer.alloc(0)),
  'another content type': (n) => message(`report ${n}.pdf`, { 'content-type': 'application/pdf' }),
  'key too long': (n) => message(`${n}/`.padEnd(1100, 'x')),
  'begins with a slash': (n) => message(`/srv/images/${n}.jpg`),
  'thousands of records': (n) => records(20_000, n, ['too_many_requests']),
  'as many records as are read': (n) => records(1000, n, unreadable),
};

type Object = Omit<BadObject, 'name'>;

const objects: Record<string, (n: number) => Object | Promise<Object>> = {
  'no object': () => ({ body: null, codes: ['not_found'] }),
  'not an image': (n) => ({ body: Buffer.from(`plain text, number ${n}`), codes: ['not_an_image'] }),
  'truncated JPEG': async (n) => {
    const whole = await noise(n).jpeg({ quality: 90 }).toBuffer();
    return { body: whole.subarray(0, Math.floor(whole.length / 2)), codes: ['truncated'] };
  },
  'empty object': () => ({ body: Buffer.alloc(0), codes: ['empty'] }),
  'too large': (n) => ({ body: Buffer.alloc(limits.maxBytes + 1 + n, 0x20), codes: ['too_large'] }),
  'too many pixels': async () => ({
    body: await sharp({ create: { width: 2500, height: 2500, channels: 3, background: '#777777' } })
      .png()
      .toBuffer(),
    codes: ['too_many_pixels'],
  }),
  'a drawing': (n) => ({
    body: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${n + 1}" height="1"></svg>`),
    codes: ['unsupported_format'],
  }),
  'damaged PNG': async (n) => {
    const whole = await noise(n).png().toBuffer();
    whole.fill(0xaa, 60, whole.length - 20); // header and end are right, the pixels are not
    return { body: whole, codes: ['corrupt', 'truncated'] };
  },
  // 0.3 to 1 ms a tile, by machine: five times the limit where it is fast.
  'without end': async (n) => ({
    body: Buffer.concat([await slowTiff(1440), Buffer.from(`${n}`)]),
    codes: ['too_slow'],
  }),
};

export const messageKinds = Object.keys(messages);
export const objectKinds = Object.keys(objects);

export function badMessage(kind: string, n: number): BadMessage {
  return { name: kind, ...messages[kind]!(n) };
}

export async function badObject(kind: string, n: number): Promise<BadObject> {
  return { name: kind, ...(await objects[kind]!(n)) };
}

function message(value: string | Buffer, headers: Record<string, string> = {}) {
  return { value: Buffer.from(value as string), headers, codes: unreadable };
}

/** An event whose records say nothing. */
function records(count: number, n: number, codes: readonly string[]): Omit<BadMessage, 'name'> {
  const value = Buffer.from(`{"n":${n},"Records":[${Array(count).fill('{}').join()}]}`);
  return { value, headers: { 'content-type': 'application/json' }, codes, byPlace: true };
}

/** Pixels that do not compress, so that half of the file is not all of the picture. */
function noise(n: number): Sharp {
  const pixels = Buffer.alloc(64 * 64 * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 2654435761 + n * 40503) >>> 24;
  return sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } });
}
