/** The images of a benchmark: those of a folder, or drawn ones where none is given. */
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { ImageError, UsageError } from '../../base/errors.ts';
import { makeDirectory } from '../../base/files/make-directory.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import { pathFilter, walk } from '../../base/files/walk.ts';
import { openImagesApart } from '../../models/images/apart.ts';
import type { ImageLimits } from '../../models/images/limits.ts';

export interface BenchImage {
  path: string;
  /** The file's name; each once. */
  name: string;
  bytes: Buffer;
}

export interface BenchImages {
  /** In the order of their paths. */
  all: readonly BenchImage[];
  /** The folder, or undefined where they were drawn. */
  directory: string | undefined;
}

/** Enough for a rate, and what memory easily holds. */
const mostImages = 200;
const mostBytes = 128 * 2 ** 20;

/** The first images below `directory`; other files are passed over. Throws a UsageError where there is none. */
export async function readImages(
  directory: string,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<BenchImages> {
  const all = new Map<string, BenchImage>();
  let total = 0;
  await using looking = openImagesApart(limits);
  for await (const found of walk(directory, pathFilter(), signal)) {
    if (!('file' in found)) continue;
    const { file, path } = found.file;
    const name = basename(file);
    if (all.has(name)) continue;
    try {
      const bytes = await readImageFile(file, limits.maxBytes);
      // What is decoded in this process later ends: it has been decoded once.
      await looking.check(bytes);
      total += bytes.length;
      if (total > mostBytes && all.size > 0) break;
      all.set(name, { path, name, bytes });
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
    if (all.size === mostImages) break;
  }
  signal.throwIfAborted();
  if (all.size === 0) throw new UsageError(`there is no image in ${directory}`);
  return { all: [...all.values()], directory };
}

const drawnCount = 48;

/** Draws JPEGs of 500×375 into `directory`, the same ones every time. */
export async function drawImages(directory: string): Promise<BenchImages> {
  await makeDirectory(directory);
  const all: BenchImage[] = [];
  for (let n = 0; n < drawnCount; n++) {
    const name = `drawn-${String(n).padStart(2, '0')}.jpg`;
    const path = join(directory, name);
    const bytes = await draw(n, 500, 375);
    await writeFile(path, bytes);
    all.push({ path, name, bytes });
  }
  return { all, directory: undefined };
}

/** Coloured discs over fine noise: about as many bytes a pixel as a photograph. */
async function draw(seed: number, width: number, height: number): Promise<Buffer> {
  const random = mulberry32(seed + 1);
  const pixels = Buffer.alloc(width * height * 3);
  const discs = Array.from({ length: 12 }, () => ({
    x: random() * width,
    y: random() * height,
    reach: (20 + random() * 90) ** 2,
    colour: [random() * 256, random() * 256, random() * 256],
  }));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const disc = discs.findLast((d) => (d.x - x) ** 2 + (d.y - y) ** 2 < d.reach);
      const grain = random() * 48 - 24;
      for (let c = 0; c < 3; c++) {
        const value = (disc?.colour[c] ?? (x + y * (c + 1)) % 256) + grain;
        pixels[at + c] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** A small generator of numbers from 0 to 1 that gives the same ones for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
