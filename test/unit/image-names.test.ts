/** Which files are images by their names, and what is said of the others. */
import { describe, expect, it } from 'vitest';
import {
  fileExtension,
  foreignKind,
  PassedOverCount,
  passedOverLine,
  passedOverTogether,
} from '../../src/lib/base/files/image-names.ts';

describe('an image by name', () => {
  it.each([
    // What is read, and what is refused by what it is.
    ...[
      'a.jpg',
      'A.JPEG',
      'a.png',
      'a.webp',
      'a.gif',
      'a.TIF',
      'a.bmp',
      'a.heic',
      'a.avif',
      'a.svg',
      'a.CR2',
    ],
    // Cameras and crawlers.
    ...['image', 'frame.0001', 'Screenshot 2026.05.01 at 10.22.33', 'Mr. Smith', '-rf', 'ü', 'a.'],
    ...['a.jpg.1', 'a.jpg?w=200', 'a.jpg?v=1.2', 'a.jpg_large', 'a.jpg:orig', 'a.jpg~', 'notes.txt.jpg'],
  ])('is %j', (name) => {
    expect(foreignKind(name, false)).toBeUndefined();
  });

  it.each([
    ['a.json', '.json'],
    ['NOTES.TXT', '.txt'],
    ['a.jpg.txt', '.txt'],
    ['labels.csv.2', '.csv'],
    ['page.php?id=4.5', '.php'],
    ['Thumbs.db', '.db'],
    ['desktop.ini', '.ini'],
    ['a.mp4', '.mp4'],
    ['a.7z', '.7z'],
    ['.DS_Store', '.DS_Store'],
    ['._a.jpg', '._*'],
    ['.a.jpg', '.*'],
  ])('is not %j', (name, kind) => {
    expect(foreignKind(name, false)).toBe(kind);
  });

  it('knows the directories that systems and tools make, and no others', () => {
    const names = ['.git', '__MACOSX', '@eaDir', 'photos.old', 'a.txt', 'cats'];
    expect(names.map((name) => foreignKind(name, true))).toEqual([
      '.git/',
      '__MACOSX/',
      '@eaDir/',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('tells extensions in small letters', () => {
    expect(['a.Jpg', 'a.tar.GZ', '.bashrc', 'a.b c', 'a'].map(fileExtension)).toEqual([
      'jpg',
      'gz',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('what is said of the others', () => {
  const counted = (...kinds: string[]) => {
    const count = new PassedOverCount();
    for (const kind of kinds) count.add(kind);
    return count.result;
  };

  it('is their number and their kinds, the most frequent first', () => {
    expect(counted('.txt', '.json', '.json')).toEqual({
      passedOver: 3,
      passedOverKinds: { '.json': 2, '.txt': 1 },
    });
    expect(passedOverLine(counted('.json', '.json', '.txt'))).toBe(
      'passed over 3 files that are not images by name (.json, .txt)',
    );
    expect(passedOverLine(counted('.txt'))).toBe('passed over 1 file that is not an image by name (.txt)');
    expect(passedOverLine(counted('.txt', '.git/'))).toBe(
      'passed over 1 file that is not an image by name (.txt) and 1 directory (.git/)',
    );
    expect(passedOverLine(counted('.git/', '@eaDir/'))).toBe('passed over 2 directories (.git/, @eaDir/)');
    expect(passedOverLine(counted())).toBe('');
  });

  it('is short, however many kinds there are', () => {
    const many = counted(...Array.from({ length: 500 }, (_, n) => `.x${n}`));
    expect(many.passedOver).toBe(500);
    expect(Object.keys(many.passedOverKinds)).toHaveLength(101);
    expect(passedOverLine(many).length).toBeLessThan(120);
    expect(passedOverTogether([many, undefined, counted('.x1')]).passedOver).toBe(501);
  });
});
