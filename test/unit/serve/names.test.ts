/** Names and ids: whatever a sender calls an image, its key stays one object below `http/`. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  foreignExtension,
  headerText,
  safeImageName,
  freshRequestId,
  imageKeyOf,
  keyedRequestId,
} from '../../../src/lib/pipeline/serve/ingest.ts';
import { objectKeyFault } from '../../../src/lib/systems/objects/store.ts';

describe('the name of an image', () => {
  it.each([
    ['cat.jpg', 'cat.jpg'],
    ['../../x', 'x'],
    ['..\\..\\x.png', 'x.png'],
    ['/etc/passwd', 'passwd'],
    ['..', 'image.jpg'],
    ['a/..', 'image.jpg'],
    ['%2e%2e%2fx', '_2e_2e_2fx'],
    ['a\0b.jpg', 'a_b.jpg'],
    ['.hidden.jpg', 'hidden.jpg'],
    ['häs 1.jpg', 'häs 1.jpg'],
    ['写真 (2).jpg', '写真 (2).jpg'],
    ['a\u202egpj.exe', 'a_gpj.exe'],
    ['\ud800.jpg', '_.jpg'],
    ['', 'image.jpg'],
    ['///', 'image.jpg'],
    ['x. . .', 'x'],
    [undefined, 'image.jpg'],
  ])('%j becomes %j', (given, safe) => {
    expect(safeImageName(given, 'jpeg')).toBe(safe);
  });

  it('is cut at whole characters and keeps its extension', () => {
    const name = safeImageName(`${'写'.repeat(4000)}.jpeg`, 'jpeg');
    expect(name).toMatch(/^写+\.jpeg$/);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(Buffer.byteLength(name)).toBeGreaterThan(190);
  });

  it('makes a good key of any text', () => {
    const id = freshRequestId();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
        const given = String.fromCharCode(...units);
        const key = imageKeyOf(id, safeImageName(given, 'png'));
        expect(objectKeyFault(key)).toBeUndefined();
        expect(key.split('/')).toHaveLength(4);
        expect(key).not.toMatch(/[%\\\p{Cc}]/u);
      }),
      { numRuns: 300 },
    );
  });

  it('tells names that say they are no images', () => {
    expect(['setup.exe', 'a.jpg.EXE', 'page.html', 'x.heic'].map(foreignExtension)).toEqual([
      'exe',
      'exe',
      'html',
      'heic',
    ]);
    for (const name of ['a.JPG', 'a.jpeg', 'a.bmp', 'a.tif', 'no extension', 'a.webp ', 'v1.2/a.png']) {
      expect(foreignExtension(name)).toBeUndefined();
    }
  });

  it('reads headers as UTF-8 where they are', () => {
    expect(headerText(Buffer.from('写真.jpg').toString('latin1'))).toBe('写真.jpg');
    expect(headerText('h\xe4s.jpg')).toBe('häs.jpg');
  });
});

describe('request ids', () => {
  it('are UUIDs of version 7 that sort by time', () => {
    const ids = [1000, 2000, 3000].map((ms) => freshRequestId(1_700_000_000_000 + ms));
    for (const id of ids) {
      expect(id).toMatch(/^h:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(ids.toSorted()).toEqual(ids);
    expect(freshRequestId(5)).not.toBe(freshRequestId(5));
  });

  it('are the same for the same key of the same sender, and others for all else', () => {
    const owner = { pipeline: 'p', token: 'a', index: 0 };
    const id = keyedRequestId(owner, 'k');
    expect(id).toMatch(/^h:[0-9a-f]{64}$/);
    expect(keyedRequestId({ ...owner }, 'k')).toBe(id);
    const others = [
      keyedRequestId(owner, 'k2'),
      keyedRequestId({ ...owner, token: null }, 'k'),
      keyedRequestId({ ...owner, pipeline: 'q' }, 'k'),
      keyedRequestId({ ...owner, index: 1 }, 'k'),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });
});
