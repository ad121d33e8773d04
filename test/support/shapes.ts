/** Drawn pictures of three classes, for training in a test: a disc, a bar or a ring on a plain ground, anywhere and anyhow. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Example } from '../../src/lib/learning/datasets/dataset.ts';
import { randomNumbers } from '../../src/lib/learning/train/network/epoch.ts';

export const shapeLabels = ['disc', 'bar', 'ring'] as const;

/** `count` PNGs, the classes in turn, the same for the same seed. */
export async function drawShapes(
  directory: string,
  count: number,
  seed: number,
  side = 64,
): Promise<Example[]> {
  await mkdir(directory, { recursive: true });
  const random = randomNumbers(seed);
  const between = (least: number, most: number) => least + (most - least) * random();
  const examples: Example[] = [];
  for (let i = 0; i < count; i++) {
    const label = i % shapeLabels.length;
    const size = between(0.16, 0.26) * side;
    const colour = `rgb(${[0, 0, 0].map(() => Math.round(between(0, 110))).join(' ')})`.replaceAll(' ', ',');
    const ground = `rgb(${[0, 0, 0].map(() => Math.round(between(170, 255))).join(',')})`;
    const body = [
      `<circle r="${size}" fill="${colour}"/>`,
      `<rect x="${-1.5 * size}" y="${-0.3 * size}" width="${3 * size}" height="${0.6 * size}" fill="${colour}"/>`,
      `<circle r="${size}" fill="none" stroke="${colour}" stroke-width="${0.4 * size}"/>`,
    ][label]!;
    const [x, y] = [between(0.35, 0.65) * side, between(0.35, 0.65) * side];
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="${ground}"/><g transform="translate(${x} ${y}) rotate(${between(0, 360)})">${body}</g></svg>`;
    const bytes = await sharp(Buffer.from(svg)).removeAlpha().png().toBuffer();
    const path = join(directory, `${seed}-${i}.png`);
    await writeFile(path, bytes);
    examples.push({ path, label, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  return examples;
}
