/** A page of pictures: what it shows first, and that neither names nor labels do anything to it. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Pictured, writePicturePage } from '../../src/lib/local/page.ts';

const dir = mkdtempSync(join(tmpdir(), 'picture page '));
afterAll(() => rm(dir, { recursive: true }));

async function written(
  pictures: readonly Pictured[],
  pictureOf = ({ name }: Pictured) => Promise.resolve<Uint8Array>(Buffer.from(name)),
): Promise<string> {
  const file = join(dir, 'page.html');
  await writePicturePage(file, { title: 'Parts <b>', summary: ['by "y"'], pictures }, pictureOf);
  return readFileSync(file, 'utf8');
}

const picture = (name: string, category: string, confidence: number, truth?: string): Pictured => ({
  name,
  category,
  confidence,
  ...(truth !== undefined && { truth }),
});
const places = (page: string, names: readonly string[]) =>
  names.map((name) => page.indexOf(Buffer.from(name).toString('base64')));

it('shows mistakes first, the surest at the top, then what was right, the least sure first', async () => {
  const page = await written([
    picture('sure', 'nut', 90, 'nut'),
    picture('unsure', 'nut', 30, 'nut'),
    picture('small mistake', 'nut', 40, 'gear'),
    picture('great mistake', 'nut', 99, 'gear'),
  ]);
  const at = places(page, ['great mistake', 'small mistake', 'unsure', 'sure']);
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(at[0]).toBeGreaterThan(0);
  expect(page.match(/<figure class="wrong"/g)).toHaveLength(2);
  expect(page.indexOf('Mistakes')).toBeLessThan(page.indexOf('Correct, least certain first'));
});

it('says nothing of right and wrong where nobody knows, and names the files', async () => {
  const page = await written([picture('b.jpg', 'nut', 90), picture('a.jpg', 'gear', 20)]);
  expect(page).not.toMatch(/Mistakes|Correct,/);
  expect(page.indexOf('a.jpg')).toBeLessThan(page.indexOf('b.jpg'));
});

it('shows unknown objects first, the least like any at the top, and marks them beside a truth too', async () => {
  const unlike = (name: string, novelty: number | null, truth?: string) => ({
    ...picture(name, 'nut', 90, truth),
    novelty,
  });
  const page = await written([
    unlike('known.jpg', 0.99),
    { ...picture('silent.jpg', 'nut', 20), novelty: null },
    unlike('new.jpg', 1),
    unlike('newest.jpg', 7),
  ]);
  const at = ['Unknown:', 'newest.jpg', 'new.jpg', 'Least certain', 'silent.jpg', 'known.jpg'];
  const found = at.map((name) => page.indexOf(name));
  expect(found[0]).toBeGreaterThan(0);
  expect(found).toEqual(found.toSorted((a, b) => a - b));
  expect(page.match(/<mark>unknown<\/mark>/g)).toHaveLength(2);
  const judged = await written([unlike('right', 3, 'nut'), unlike('wrong', 0, 'gear')]);
  expect(judged.match(/<mark>unknown<\/mark>/g)).toHaveLength(1);
  expect(judged).not.toContain('Unknown:');
});

it('is text whatever names and labels are, and loads nothing', async () => {
  const hostile = `"><script>alert(1)</script>&'\u001b[31m\ud800`;
  const page = await written([picture(hostile, hostile, 50), picture('x', hostile, 10, hostile)]);
  for (const raw of ['<script', '<b>', '\u001b', '"y"']) expect(page).not.toContain(raw);
  expect(page).toContain('default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;');
  expect([...page.matchAll(/\bsrc="(.{11})/g)].map((match) => match[1])).toEqual(
    Array(2).fill('data:image/'),
  );
});

it('has a gap for a picture that cannot be read', async () => {
  const page = await written([picture('gone', 'nut', 50)], () => Promise.reject(new Error('gone')));
  expect(page.match(/<img/g)).toBeNull();
  expect(page).toContain('class="none"');
});

it('stays small: at most 1000 pictures, and 8 MiB', async () => {
  const many = Array.from({ length: 1003 }, (_, n) => picture(`${n}`, 'nut', n / 20));
  const page = await written(many);
  expect(page.match(/<figure/g)).toHaveLength(1000);
  expect(page).toContain('3 more images are not shown.');
  const large = await written(many, () => Promise.resolve(Buffer.alloc(100_000)));
  expect(large.length).toBeLessThan(8.2 * 2 ** 20);
  expect(large).toMatch(/9\d\d more images are not shown\./);
});
