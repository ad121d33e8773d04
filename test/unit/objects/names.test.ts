/** Keys, their order, and their names on disk. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diskDirectory, diskPath, readDiskName } from '../../../src/lib/systems/objects/file/disk-name.ts';
import { checkKey, compareKeys, objectKeyFault, quoteKey } from '../../../src/lib/systems/objects/store.ts';
import { numRuns } from '../../support/thorough.ts';

const segment = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('a', '.', ' ', '%', '-', '2', '5', 'é', '*', '😀', 'A'),
    minLength: 1,
    maxLength: 600,
  }),
);
const key = fc
  .array(segment, { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join('/'))
  .filter((text) => objectKeyFault(text) === undefined);

/** Follows names from the root as a listing does. */
function readPath(names: string[]): string | null {
  let text = '';
  for (const [at, name] of names.entries()) {
    const isDirectory = at < names.length - 1;
    const read = readDiskName(name, isDirectory);
    if (read === null) return null;
    if (read.kind === 'piece') text += read.piece;
    else text += read.kind === 'directory' ? `${read.segment}/` : read.segment;
  }
  return text;
}

describe('keys', () => {
  it('sort like their UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
      { numRuns: numRuns(2000) },
    );
    // UTF-16 has it the other way round.
    expect(compareKeys('\uff5e', '😀')).toBeLessThan(0);
  });

  it('may be 1024 bytes, and not one more', () => {
    expect(() => checkKey('é'.repeat(512))).not.toThrow();
    expect(() => checkKey(`${'é'.repeat(512)}x`)).toThrow(/longer than 1024 bytes/);
  });

  it('are quoted so that a terminal does not obey them', () => {
    expect(quoteKey('a\u001b[2J\u009b1m"')).toBe('"a\\u001b[2J\\u009b1m\\""');
    expect(quoteKey('x'.repeat(5000)).length).toBeLessThan(130);
  });
});

describe('names on disk', () => {
  it('are the key itself where it is ordinary', () => {
    for (const plain of [
      'cat.jpg',
      'n01440764/ILSVRC2012_val_00000293.JPEG',
      'v1.2/a b (1).png',
      '.hidden.jpg',
      'ü/日本.webp',
    ]) {
      expect(diskPath(plain).join('/')).toBe(plain);
    }
  });

  it('say what they are where it is not', () => {
    expect(diskPath('README')).toEqual(['README%']);
    expect(diskPath('cat.jpg/1.png')).toEqual(['cat.jpg%', '1.png']);
    expect(diskPath('50%.jpg')).toEqual(['50%25.jpg']);
    expect(diskPath('...')).toEqual(['..%2E%']);
    expect(diskPath('C:\\x.jpg')).toEqual(['C%3A%5Cx.jpg']);
  });

  it('lead back to the key, and fit into a file system', () => {
    fc.assert(
      fc.property(key, (text) => {
        const names = diskPath(text);
        expect(readPath(names)).toBe(text);
        for (const name of names) {
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
          expect(name).not.toMatch(/^\.{0,2}$|[/\\]/);
        }
      }),
      { numRuns: numRuns(2000) },
    );
  });

  it('never make one name both a file and a directory', () => {
    fc.assert(
      fc.property(key, segment, (text, more) => {
        const below = `${text}/${more}`;
        fc.pre(objectKeyFault(below) === undefined);
        const file = diskPath(text).join('/');
        expect(`${diskPath(below).join('/')}/`.startsWith(`${file}/`)).toBe(false);
        expect(
          diskPath(below)
            .join('/')
            .startsWith(`${diskDirectory(text).join('/')}/`),
        ).toBe(true);
      }),
      { numRuns: numRuns(2000) },
    );
  });

  it('are passed over where no key is encoded like that', () => {
    for (const name of [
      '%tmp',
      '50%.jpg',
      'Makefile',
      'a%2e.jpg',
      'a%2E.jpg',
      'cat.jpg%',
      '%',
      '%-',
      'a%41.jpg',
      'a*b.jpg',
    ]) {
      expect(readDiskName(name, false), name).toBeNull();
    }
    for (const name of ['%tmp', 'cat.jpg', 'v1.2%', 'a.']) expect(readDiskName(name, true), name).toBeNull();
  });
});
