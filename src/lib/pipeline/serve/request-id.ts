/** Request ids of images that come by HTTP, and the image keys that go with them. */
import { createHash, randomBytes } from 'node:crypto';

const prefix = 'h:';

/** A UUID of version 7: ids made later sort later. */
export function freshRequestId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return prefix + parts.join('-');
}

/** Who gives the idempotency key, and for which of the images of one request. */
export interface KeyOwner {
  pipeline: string;
  /** Name of the token; null where none is asked for. */
  token: string | null;
  /** 0 for the first image of the request. */
  index: number;
}

/** The same for the same key of the same sender, whenever and wherever it comes again. */
export function keyedRequestId(owner: KeyOwner, idempotencyKey: string): string {
  const { pipeline, token, index } = owner;
  const digest = createHash('sha256').update(JSON.stringify([pipeline, token, idempotencyKey, index]));
  return prefix + digest.digest('hex');
}

/** `http/<yyyy-mm-dd>/<id>/<name>`; the name is a safe one (image-name.ts). */
export function imageKeyOf(requestId: string, name: string, now: Date = new Date()): string {
  return `http/${now.toISOString().slice(0, 10)}/${requestId.slice(prefix.length)}/${name}`;
}
