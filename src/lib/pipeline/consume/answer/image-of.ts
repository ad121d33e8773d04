/** Where the bytes of a requested image come from: the message itself, the store, or another bucket. */
import { ImageError } from '../../../base/errors.ts';
import type { Request } from '../../../systems/message/request.ts';
import type { GetOptions, ObjectStore } from '../../../systems/objects/store.ts';

/** The store of a bucket; null is the configured store. */
export type StoreOf = (bucket: string | null) => Promise<ObjectStore>;

/** In memory of its own, for the classifier takes it over. Throws an ImageError or the store's errors. */
export async function imageOf(
  { imageKey, bucket, inline }: Request,
  storeOf: StoreOf,
  options: GetOptions,
): Promise<Uint8Array> {
  if (inline === null) return (await storeOf(bucket)).get(imageKey, options);
  if (inline.length > options.maxBytes) {
    throw new ImageError(`the image has ${inline.length} bytes, more than the ${options.maxBytes} allowed`, {
      code: 'too_large',
    });
  }
  await options.admit?.(inline.length);
  return new Uint8Array(inline);
}
