/** Labels as folders: back and forth, and never out of the directory. */
import { basename, join, normalize } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderLabel, folderName } from '../../../src/lib/base/files/class-folders.ts';
import { matchFolders, unknownFolders } from '../../../src/lib/learning/evaluate/evaluate.ts';

describe('folderName', () => {
  it('leaves ordinary labels alone', () => {
    for (const label of ['gear', 'tabby, tabby cat', 'Äpfel_2', 'a.b']) expect(folderName(label)).toBe(label);
  });

  it('writes what no folder may be called otherwise', () => {
    expect(folderName('../../etc/passwd')).toBe('%2E.%2F..%2Fetc%2Fpasswd');
    expect(folderName('..')).toBe('%2E%2E');
    expect(folderName('con')).toBe('%63on');
    expect(folderName('')).toBe('%');
    expect(folderName('50 %')).toBe('50 %25');
  });

  it('is one segment within the directory, fits a file system, and can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (label) => {
        const name = folderName(label);
        expect(basename(join('/out', name))).toBe(name);
        expect(normalize(join('/out', name))).toBe(`/out/${name}`);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
        expect(folderLabel(name, [label])).toBe(label);
        if (!name.includes('~')) expect(folderLabel(name)).toBe(label);
      }),
    );
  });

  it('tells long labels apart', () => {
    expect(folderName('ä'.repeat(300) + '1')).not.toBe(folderName('ä'.repeat(300) + '2'));
  });
});

describe('matchFolders', () => {
  it('knows labels by their own name and by the folder’s', () => {
    const found = matchFolders(['a%2Fb', 'gear', 'u\u0308'], ['a/b', 'gear', '\u00fc', 'nut']);
    expect([...found.labels]).toEqual([
      ['a%2Fb', 'a/b'],
      ['gear', 'gear'],
      ['u\u0308', '\u00fc'],
    ]);
    expect(found.unknown).toEqual([]);
  });

  it('suggests what an unknown folder may have been meant as', () => {
    const { unknown } = matchFolders(['Gears', 'zebra crossing'], ['gear', 'nut']);
    const error = unknownFolders(unknown, ['gear', 'nut']);
    expect(error.message).toContain('Gears: did you mean gear?');
    expect(error.message).toContain('zebra crossing');
    expect(error.message).not.toContain('zebra crossing: did');
    expect(error.code).toBe('unknown_classes');
  });
});
