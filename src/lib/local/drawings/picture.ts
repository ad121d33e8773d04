/** One picture of a part: the same bytes for the same seed and number, with one version of sharp. */
import sharp from 'sharp';
import { expose } from './camera.ts';
import { between, chance, openRandom, shuffled } from './random.ts';
import { drawScene, pictureSide } from './scene.ts';
import { kinds, type Kind } from './shapes.ts';

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
