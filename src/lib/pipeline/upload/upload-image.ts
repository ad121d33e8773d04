/** One image: into the object store, then into the table. What the table knows already is left alone. */
import { createHash } from 'node:crypto';
import type { ImageTable } from '../../systems/database/tables/image-table.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';

export interface UploadImageDeps {
  store: ObjectStore;
  images: ImageTable;
  /** Says what kind of image it is; throws an ImageError where it is none, or one that cannot be classified. */
  check: (bytes: Buffer) => Promise<{ contentType: string }>;
  /** Runs a step, however often it takes while something is away. */
  patiently: <T>(step: () => Promise<T>) => Promise<T>;
}

export interface NewImage {
  key: string;
  content: Buffer;
  /** What the table says of the key now. */
  knownSha256: string | null;
}

export interface UploadImageOptions {
  /** Look and tell, but write nothing. */
  dryRun?: boolean;
  /** Also ask the store whether what would be skipped is still there. */
  recheck?: boolean;
}

/** Throws what `check` throws, and the store's and database's errors where `patiently` gives up. */
export async function uploadImage(
  { store, images, check, patiently }: UploadImageDeps,
  { key, content, knownSha256 }: NewImage,
  { dryRun = false, recheck = false }: UploadImageOptions = {},
): Promise<'uploaded' | 'skipped' | 'would_upload'> {
  const bytes = content.length;
  const sha256 = createHash('sha256').update(content).digest('hex');
  const same = sha256 === knownSha256;
  if (same && !(recheck && (await patiently(() => store.head(key)))?.bytes !== bytes)) return 'skipped';
  const { contentType } = await check(content);
  if (dryRun) return 'would_upload';
  // Killed behind the put, the row would vouch for an object that is another by now, should the old file come back.
  if (knownSha256 !== null && !same) await patiently(() => images.forget(key));
  await patiently(() => store.put(key, content, { contentType }));
  await patiently(() => images.save([{ key, sha256, bytes, contentType }]));
  return 'uploaded';
}
