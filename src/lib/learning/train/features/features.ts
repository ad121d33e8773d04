/** The features of a set of images, from the cache or computed, in one matrix. */
import { orderedGroups } from '../../../base/flow/ordered-groups.ts';
import type { Example } from '../../datasets/dataset.ts';
import { readExample } from '../../datasets/read-example.ts';
import type { FeatureCache } from './cache.ts';
import type { Extractor } from './extractor.ts';
import { featureCount } from './network.ts';

export interface Features {
  /** Images. */
  count: number;
  /** Rows an image: see `viewOf`. */
  views: number;
  /** `count * views` rows of `featureCount` values, an image's views together. */
  data: Float32Array;
  /** Images whose features were in the cache. */
  cached: number;
}

export interface FeatureOptions {
  views: number;
  maxBytes: number;
  cache: FeatureCache;
  /** Opens the threads at the first image that is not in the cache. */
  extractor: () => Promise<Extractor>;
  /** How many images to work on at once. */
  inFlight: number;
  signal: AbortSignal;
  onProgress: (images: number) => void;
}

/** Images stream: in memory are the features (2 kB a view) and as many images as are worked on. */
export async function computeFeatures(
  examples: readonly Example[],
  options: FeatureOptions,
): Promise<Features> {
  const { views, cache, extractor, inFlight, maxBytes, signal, onProgress } = options;
  const row = views * featureCount;
  const data = new Float32Array(new SharedArrayBuffer(4 * row * examples.length));
  let cached = 0;
  async function one(example: Example): Promise<Float32Array> {
    const { sha256 } = example;
    const known = await cache.read(sha256, views);
    if (known !== undefined) {
      cached++;
      return known;
    }
    const made = await (await extractor()).features(await readExample(example, maxBytes), views);
    await cache.write(sha256, made);
    return made;
  }
  // eslint-disable-next-line @typescript-eslint/require-await -- orderedGroups takes what is asynchronous
  async function* source(stopped: AbortSignal) {
    for (const example of examples) {
      if (stopped.aborted) return;
      yield example;
    }
  }
  let done = 0;
  for await (const group of orderedGroups(source, one, { inFlight, signal })) {
    for (const features of group) data.set(features, row * done++);
    onProgress(done);
  }
  signal.throwIfAborted();
  return { count: examples.length, views, data, cached };
}
