/** Draws pictures of parts into class folders, the layout that `train` reads: `<directory>/red gear/0001.jpg`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { makeWritableDirectory } from '../../base/files/make-directory.ts';
import { between, chance, openRandom, shuffled, type Random } from './random.ts';
import { drawScene, pictureSide } from './scene.ts';
import { kinds, labelOf, type Kind } from './shapes.ts';

export interface DrawOptions {
  /** How many pictures in all; the classes differ by one at most. */
  count: number;
  seed: number;
  /** Aborted: no picture is begun any more. */
  signal?: AbortSignal;
  /** After each picture; `path` is below the directory, with `/`. */
  onPicture?: (drawn: { path: string; label: string }) => void;
}

/** Pictures at a time: sharp draws on threads of its own. */
const concurrency = 4;

/** Creates the folders it needs and overwrites pictures of the same names. The same seed gives the same bytes. */
export async function drawParts(directory: string, options: DrawOptions): Promise<void> {
  const { count, seed, signal, onPicture } = options;
  const shown = Array.from({ length: Math.min(count, kinds.length) }, (_, index) => kindOf(seed, index));
  for (const kind of shown) await makeWritableDirectory(join(directory, labelOf(kind)));
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count && signal?.aborted !== true) {
      const index = next++;
      const kind = kindOf(seed, index);
      const label = labelOf(kind);
      // Each kind comes once in a round, so the round numbers its pictures.
      const file = `${String(Math.floor(index / kinds.length) + 1).padStart(4, '0')}.jpg`;
      await writeFile(join(directory, label, file), await drawPicture(kind, seed, index));
      onPicture?.({ path: `${label}/${file}`, label });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

// One picture of a part: the same bytes for the same seed and number, with one version of sharp.

/** What the `index`-th picture of a seed shows: every kind once before any comes again, in an order of its own. */
export function kindOf(seed: number, index: number): Kind {
  const round = Math.floor(index / kinds.length);
  return shuffled(openRandom(seed, -1 - round), kinds)[index % kinds.length]!;
}

/** A JPEG of `pictureSide` × `pictureSide` pixels. */
export async function drawPicture(kind: Kind, seed: number, index: number): Promise<Buffer> {
  const random = openRandom(seed, index);
  const svg = Buffer.from(drawScene(kind, random));
  const blur = chance(random, 0.4) ? between(random, 0.4, 1.3) : 0;
  const scene = sharp(svg).removeAlpha();
  const pixels = await (blur > 0 ? scene.blur(blur) : scene).raw().toBuffer();
  expose(pixels, pictureSide, random);
  const raw = { width: pictureSide, height: pictureSide, channels: 3 } as const;
  const quality = Math.round(between(random, 72, 92));
  return sharp(pixels, { raw }).jpeg({ quality }).toBuffer();
}

/** Changes the RGB pixels of a square picture in place. */
function expose(pixels: Uint8Array, side: number, random: Random): void {
  const exposure = between(random, 0.8, 1.18);
  const warmth = between(random, -0.09, 0.1);
  const tint = between(random, -0.03, 0.03);
  const gains = [exposure * (1 + warmth), exposure * (1 + tint), exposure * (1 - warmth)];
  const angle = between(random, 0, 2 * Math.PI);
  const slope = between(random, 0, 0.3) / side;
  const [slopeX, slopeY] = [slope * Math.cos(angle), slope * Math.sin(angle)];
  const vignette = between(random, 0, 0.35) / (side * side);
  const noise = between(random, 0.5, 7);
  const grain = openGrain(random);
  const middle = side / 2;
  for (let y = 0, i = 0; y < side; y++) {
    const dy = y - middle;
    for (let x = 0; x < side; x++) {
      const dx = x - middle;
      const light = 1 + slopeX * dx + slopeY * dy - vignette * (dx * dx + dy * dy);
      const bright = grain() * noise;
      for (let channel = 0; channel < 3; channel++, i++) {
        const value = pixels[i]! * gains[channel]! * light + bright + grain() * noise * 0.5;
        pixels[i] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

/** Noise of mean 0 and deviation 1, nearly normal: two uniform numbers from one step of xorshift. */
function openGrain(random: Random): () => number {
  let state = Math.floor(random() * 0xffffffff) | 1;
  const scale = Math.sqrt(6) / 65536;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state & 0xffff) + (state >>> 16) - 65535) * scale;
  };
}
