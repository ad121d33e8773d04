/** Labelled folders of images that the tests draw. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { chance } from './squeezenet-models.ts';

export interface Folders extends AsyncDisposable {
  path: string;
  write(relative: string, content: string | Uint8Array): Promise<void>;
}

export async function openFolders(): Promise<Folders> {
  const path = await mkdtemp(join(tmpdir(), 'visionscale-classes-'));
  return {
    path,
    async write(relative, content) {
      await mkdir(dirname(join(path, relative)), { recursive: true });
      await writeFile(join(path, relative), content);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export const colours = { blue: [40, 60, 210], green: [40, 190, 60], red: [220, 40, 40] } as const;

/** A PNG whose colour is near `colour`, with a pattern of its own that the seed decides. */
export async function colouredPng(colour: keyof typeof colours, seed: number): Promise<Buffer> {
  const next = chance(seed * 7919 + 13);
  const [width, height] = [48, 40];
  const data = new Uint8Array(width * height * 3);
  // Blocks of 8×8 pixels, so that small copies of two pictures differ too.
  const blocks = Array.from({ length: 30 }, () => 60 * next() - 30);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const shade = blocks[6 * (y >> 3) + (x >> 3)]!;
      for (let c = 0; c < 3; c++) data[at + c] = Math.max(0, Math.min(255, colours[colour][c]! + shade));
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** `count` images of each colour. */
export async function writeColours(
  folders: Folders,
  count: number,
  below = '',
  firstSeed = 0,
): Promise<void> {
  for (const [c, colour] of (Object.keys(colours) as (keyof typeof colours)[]).entries()) {
    for (let i = 0; i < count; i++) {
      const seed = firstSeed + 1000 * c + i;
      await folders.write(
        join(below, colour, `${String(i).padStart(3, '0')}.png`),
        await colouredPng(colour, seed),
      );
    }
  }
}
