/** The features of a set of images in one matrix: computed, and kept on disk by what they were computed from. */
import { createHash, randomBytes } from 'node:crypto';
import { realpath, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageError, VisionscaleError } from '../../../base/errors.ts';
import { makeDirectory } from '../../../base/files/make-directory.ts';
import { readImageFile } from '../../../base/files/read-file.ts';
import { orderedGroups } from '../../../base/flow/ordered-groups.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import type { Example } from '../../datasets/dataset.ts';
import type { Extractor } from './extractor.ts';
import { zooms } from './network.ts';

export interface Features {
  /** Images. */
  count: number;
  /** Rows an image: see `viewOf`. */
  views: number;
  /** Values a row. */
  features: number;
  /** `count * views` rows of `features` values, an image's views together. */
  data: Float32Array;
  /** Images whose features were in the cache. */
  cached: number;
}

export interface FeatureOptions {
  views: number;
  features: number;
  maxBytes: number;
  cache: FeatureCache;
  /** Opens the threads at the first image that is not in the cache. */
  extractor: () => Promise<Extractor>;
  /** How many images to work on at once. */
  inFlight: number;
  signal: AbortSignal;
  onProgress: (images: number) => void;
}

/** Images stream: in memory are the features (2 kB a view of SqueezeNet's) and as many images as are worked on. */
export async function computeFeatures(
  examples: readonly Example[],
  options: FeatureOptions,
): Promise<Features> {
  const { views, features, cache, extractor, inFlight, maxBytes, signal, onProgress } = options;
  const row = views * features;
  const data = new Float32Array(new SharedArrayBuffer(4 * row * examples.length));
  let cached = 0;
  async function one(example: Example, stopped: AbortSignal): Promise<Float32Array> {
    const { sha256 } = example;
    const known = await cache.read(sha256, views);
    if (known !== undefined) {
      cached++;
      return known;
    }
    const bytes = await readExample(example, maxBytes);
    const made = await (await extractor()).features(bytes, views, stopped);
    await cache.write(sha256, made);
    return made;
  }
  function* source(stopped: AbortSignal) {
    for (const example of examples) {
      if (stopped.aborted) return;
      yield example;
    }
  }
  let done = 0;
  for await (const group of orderedGroups(source, one, { inFlight, signal })) {
    for (const found of group) data.set(found, row * done++);
    onProgress(done);
  }
  signal.throwIfAborted();
  return { count: examples.length, views, features, data, cached };
}

/** Throws a VisionscaleError `dataset_changed`. The bytes own their memory, so that they can move to a thread. */
async function readExample({ path, sha256 }: Example, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = new Uint8Array(await readImageFile(await realpath(path), maxBytes));
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  } catch (cause) {
    if (!(cause instanceof ImageError) && (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw changed(path, cause);
  }
  throw changed(path);
}

function changed(path: string, cause?: unknown): VisionscaleError {
  return new VisionscaleError(`${path} changed during training`, {
    code: 'dataset_changed',
    hint: 'Run the command again when nothing writes to the directory.',
    cause,
  });
}

/** To be raised whenever features or views are computed otherwise. */
const format = 1;

/** Features kept on disk by what they were computed from, so that a second training need not look at the images. */
interface FeatureCache {
  /** At least `views` rows, or undefined where they are not there. */
  read(sha256: string, views: number): Promise<Float32Array | undefined>;
  write(sha256: string, features: Float32Array): Promise<void>;
}

interface CacheKey {
  /** Digest of the feature network. */
  network: string;
  /** Values a row. */
  features: number;
  preprocessing: Preprocessing;
  autoOrient: boolean;
}

/** A directory for each network and preprocessing below `root`; a file an image: its rows and their checksum. */
export function openFeatureCache(root: string, key: CacheKey): FeatureCache {
  const directory = join(
    root,
    hash(JSON.stringify([format, key.network, key.preprocessing, key.autoOrient, zooms])).slice(0, 16),
  );
  const rowBytes = 4 * key.features;
  const place = (sha256: string) => join(directory, sha256.slice(0, 2), `${sha256}.f32`);
  return {
    async read(sha256, views) {
      // Whatever is wrong with it, it can be computed again.
      const file = await readFile(place(sha256)).catch(() => undefined);
      if (file === undefined || file.length < checksumBytes || (file.length - checksumBytes) % rowBytes !== 0)
        return undefined;
      const bytes = file.subarray(checksumBytes);
      if (bytes.length < views * rowBytes || !checksum(bytes).equals(file.subarray(0, checksumBytes)))
        return undefined;
      return new Float32Array(new Uint8Array(bytes.subarray(0, views * rowBytes)).buffer);
    },
    async write(sha256, features) {
      const target = place(sha256);
      const next = `${target}.${randomBytes(4).toString('hex')}`;
      const bytes = Buffer.from(features.buffer, features.byteOffset, features.byteLength);
      try {
        await makeDirectory(join(directory, sha256.slice(0, 2)));
        await writeFile(next, Buffer.concat([checksum(bytes), bytes]), { flag: 'wx' });
        await rename(next, target);
      } catch {
        // A full or read-only disk costs time at the next training, not this one.
        await rm(next, { force: true }).catch(() => undefined);
      }
    },
  };
}

const checksumBytes = 32;

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
