/** Near-duplicates across a split: found in other sizes and qualities, and not where images only resemble each other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDuplicates } from '../../../src/lib/learning/evaluate/duplicates.ts';
import { itThorough } from '../../support/thorough.ts';

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'visionscale duplicates '))));
afterAll(() => rmSync(dir, { recursive: true }));

/** Blocks of grey and colour that a seed decides. */
function scene(seed: number) {
  const side = 12;
  const data = Buffer.alloc(side * side * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return sharp(data, { raw: { width: side, height: side, channels: 3 } }).resize(300, 240, {
    kernel: 'cubic',
    fit: 'fill',
  });
}

const put = async (name: string, image: Sharp, label = 0) => {
  const path = join(dir, name);
  writeFileSync(path, await image.toBuffer());
  return { path, label };
};

describe('findDuplicates', () => {
  it('finds copies, other sizes, qualities and brightness, with their labels', async () => {
    const train = [];
    for (let n = 0; n < 30; n++) train.push(await put(`t${n}.png`, scene(n + 1).png(), n % 3));
    const held = [
      await put('same.png', scene(4).png(), 0),
      await put(
        'small.jpg',
        sharp(await scene(5).png().toBuffer())
          .resize(120, 96)
          .jpeg({ quality: 60 }),
        1,
      ),
      await put(
        'lighter.png',
        sharp(await scene(6).png().toBuffer())
          .linear(1, 4)
          .png(),
        0,
      ),
      await put('another.png', scene(100).png(), 0),
      await put(
        'mirrored.png',
        sharp(await scene(7).png().toBuffer())
          .flop()
          .png(),
        0,
      ),
      { path: join(dir, 'gone.png'), label: 0 },
    ];
    writeFileSync(join(dir, 'text.png'), 'no image');
    held.push({ path: join(dir, 'text.png'), label: 0 });
    let progress = 0;
    const options = { signal: new AbortController().signal, onProgress: (done: number) => (progress = done) };
    expect(await findDuplicates(train, held, options)).toEqual([
      { train: join(dir, 't3.png'), held: join(dir, 'same.png'), sameLabel: true },
      { train: join(dir, 't4.png'), held: join(dir, 'small.jpg'), sameLabel: true },
      { train: join(dir, 't5.png'), held: join(dir, 'lighter.png'), sameLabel: false },
    ]);
    expect(progress).toBe(train.length + held.length);
  });

  itThorough('tells plain images of other colours apart', async () => {
    const plain = (background: string) =>
      sharp({ create: { width: 50, height: 40, channels: 3, background } }).png();
    const train = [await put('red.png', plain('#c00000'))];
    const held = [await put('blue.png', plain('#0000c0')), await put('red2.png', plain('#c40000'))];
    const found = await findDuplicates(train, held, { signal: new AbortController().signal });
    expect(found.map((pair) => pair.held)).toEqual([held[1]!.path]);
  });
});
