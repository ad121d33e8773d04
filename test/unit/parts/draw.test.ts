/** The drawn parts: the same seed gives the same pictures, in the layout that training reads. */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import type { Colour } from '../../../src/lib/local/drawings/colours.ts';
import { drawParts, drawPicture, kindOf } from '../../../src/lib/local/drawings/draw.ts';
import { openRandom } from '../../../src/lib/local/drawings/random.ts';
import { drawScene, pictureSide } from '../../../src/lib/local/drawings/scene.ts';
import { kinds, labelOf, shapeNames } from '../../../src/lib/local/drawings/shapes.ts';
import { itThorough } from '../../support/thorough.ts';

const made: string[] = [];

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'parts '));
  made.push(dir);
  return dir;
}

afterEach(async () => {
  for (const dir of made.splice(0)) await rm(dir, { recursive: true });
});

/** What lies in the class folders, by its path. */
function contents(dir: string): Map<string, string> {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.jpg'),
  );
  return new Map(files.sort().map((name) => [name, readFileSync(join(dir, name), 'hex')]));
}

describe('drawParts', () => {
  itThorough('draws the same bytes for the same seed, and other pictures for another', async () => {
    const [one, two, three] = [directory(), directory(), directory()];
    await drawParts(one, { count: 20, seed: 7 });
    await drawParts(two, { count: 20, seed: 7 });
    await drawParts(three, { count: 20, seed: 8 });
    expect(contents(one).size).toBe(20);
    expect(contents(two)).toEqual(contents(one));
    const known = new Set(contents(one).values());
    expect([...contents(three).values()].filter((bytes) => known.has(bytes))).toEqual([]);
  });

  it('draws more of the same when asked for more', async () => {
    const [few, many] = [directory(), directory()];
    await drawParts(few, { count: 5, seed: 3 });
    await drawParts(many, { count: 12, seed: 3 });
    const more = contents(many);
    for (const [name, bytes] of contents(few)) expect(more.get(name)).toBe(bytes);
  });

  it('fills a folder for each label, evenly, and tells what it draws', async () => {
    const dir = directory();
    const told: { path: string; label: string }[] = [];
    await drawParts(dir, {
      count: kinds.length + 3,
      seed: 1,
      onPicture: (drawn) => void told.push(drawn),
    });
    const files = [...contents(dir).keys()];
    expect(readdirSync(dir).sort()).toEqual(kinds.map(labelOf).sort());
    expect(files.filter((name) => name.endsWith('/0001.jpg'))).toHaveLength(kinds.length);
    expect(files.filter((name) => name.endsWith('/0002.jpg'))).toHaveLength(3);
    expect(told.map(({ path }) => path).sort()).toEqual(files);
    expect(told.every(({ path, label }) => path.startsWith(`${label}/`))).toBe(true);
  });

  it('makes only the folders it needs, and stops when told to', async () => {
    const dir = directory();
    const stop = new AbortController();
    let drawn = 0;
    await drawParts(dir, {
      count: 40,
      seed: 1,
      signal: stop.signal,
      onPicture() {
        if (++drawn === 3) stop.abort();
      },
    });
    expect(readdirSync(dir)).toHaveLength(40);
    expect(contents(dir).size).toBe(drawn);
    expect(drawn).toBeLessThan(12);
  });
});

describe('the kinds', () => {
  it('are every colour of at least 12 shapes', () => {
    const labels = kinds.map(labelOf);
    expect(new Set(labels).size).toBe(labels.length);
    const shapes = new Set(kinds.map(({ shape }) => shape));
    const colours = new Set(kinds.map(({ colour }) => colour));
    expect(shapes.size).toBeGreaterThanOrEqual(12);
    expect(labels.length).toBe(shapes.size * colours.size);
    // A bin matches by glob: the first word is the colour, the rest the shape.
    for (const { colour, shape } of kinds) expect(labelOf({ colour, shape })).toBe(`${colour} ${shape}`);
  });

  it('each come once in every round of a seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.nat(20), (seed, round) => {
        const shown = kinds.map((_, place) => labelOf(kindOf(seed, round * kinds.length + place)));
        expect(shown.sort()).toEqual(kinds.map(labelOf).sort());
      }),
      { numRuns: 30 },
    );
  });
});

describe('a picture', () => {
  it('is a JPEG of the size that is promised', async () => {
    const picture = await drawPicture(kinds[0]!, 1, 0);
    expect(await sharp(picture).metadata()).toMatchObject({
      format: 'jpeg',
      width: pictureSide,
      height: pictureSide,
      channels: 3,
    });
  });

  it.each(shapeNames)('of a %s shows its colour in the middle', async (shape) => {
    const pixels = async (colour: Colour) => {
      const svg = drawScene({ colour, shape }, openRandom(5, 1));
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      return sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
    };
    // The same numbers: belt, pose and light are the same, and what differs is the part's colour.
    const [red, blue] = [await pixels('red'), await pixels('blue')];
    let [differ, asTheyShould] = [0, 0];
    for (let i = 0; i < red.length; i += 3) {
      if (red.subarray(i, i + 3).equals(blue.subarray(i, i + 3))) continue;
      differ++;
      if (red[i]! > blue[i]! && red[i + 2]! < blue[i + 2]!) asTheyShould++;
    }
    // The thinnest is the screwdriver's handle.
    expect(differ / pictureSide ** 2).toBeGreaterThan(0.01);
    expect(differ / pictureSide ** 2).toBeLessThan(0.5);
    expect(asTheyShould / differ).toBeGreaterThan(0.8);
  });
});

describe('openRandom', () => {
  it('gives numbers from 0 to 1, evenly, the same for the same seed and stream', () => {
    const [one, same, other] = [openRandom(1, 2), openRandom(1, 2), openRandom(1, 3)];
    const numbers = Array.from({ length: 10_000 }, () => one());
    expect(numbers.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => same()));
    expect(numbers.slice(0, 5)).not.toEqual(Array.from({ length: 5 }, () => other()));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    for (let tenth = 0; tenth < 10; tenth++) {
      const share = numbers.filter((n) => Math.floor(n * 10) === tenth).length / numbers.length;
      expect(Math.abs(share - 0.1)).toBeLessThan(0.015);
    }
  });
});
