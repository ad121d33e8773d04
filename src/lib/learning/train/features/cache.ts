/** Features kept on disk by what they were computed from, so that a second training need not look at the images. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import { featureCount } from './network.ts';
import { zooms } from './views.ts';

/** To be raised whenever features or views are computed otherwise. */
const format = 1;

export interface FeatureCache {
  /** At least `views` rows, or undefined where they are not there. */
  read(sha256: string, views: number): Promise<Float32Array | undefined>;
  write(sha256: string, features: Float32Array): Promise<void>;
}

export interface CacheKey {
  /** Digest of the feature network. */
  network: string;
  preprocessing: Preprocessing;
  autoOrient: boolean;
}

/** A directory for each network and preprocessing below `root`; a file an image: its rows and their checksum. */
export function openFeatureCache(root: string, key: CacheKey): FeatureCache {
  const directory = join(
    root,
    hash(JSON.stringify([format, key.network, key.preprocessing, key.autoOrient, zooms])).slice(0, 16),
  );
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
        await mkdir(join(directory, sha256.slice(0, 2)), { recursive: true });
        await writeFile(next, Buffer.concat([checksum(bytes), bytes]), { flag: 'wx' });
        await rename(next, target);
      } catch {
        // A full or read-only disk costs time at the next training, not this one.
        await rm(next, { force: true }).catch(() => undefined);
      }
    },
  };
}

const rowBytes = 4 * featureCount;
const checksumBytes = 32;

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
