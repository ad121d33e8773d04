/** `upload` from real files into a directory store, with the table in memory. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DatabaseError, ImageError, ObjectError, UsageError } from '../../../src/lib/base/errors.ts';
import {
  type UploadEvent,
  upload,
  type UploadDeps,
  type UploadOptions,
} from '../../../src/lib/pipeline/upload/upload.ts';
import type { ImageRow, ImageTable } from '../../../src/lib/systems/database/tables/images.ts';
import { openFileStore } from '../../../src/lib/systems/objects/file/file.ts';
import type { ObjectStore } from '../../../src/lib/systems/objects/store.ts';
import { collect } from '../../contract/objects.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Images here are files that begin with `image`. */
function check(bytes: Buffer): Promise<{ contentType: string }> {
  return bytes.subarray(0, 5).toString() === 'image'
    ? Promise.resolve({ contentType: 'image/test' })
    : Promise.reject(new ImageError('it is not an image', { code: 'not_an_image' }));
}

class MemoryTable implements ImageTable {
  readonly rows = new Map<string, ImageRow>();
  readonly lookups: number[] = [];
  lookup(keys: readonly string[]) {
    this.lookups.push(keys.length);
    return Promise.resolve(keys.flatMap((key) => this.rows.get(key) ?? []));
  }
  forget(key: string) {
    const row = this.rows.get(key);
    if (row) this.rows.set(key, { ...row, sha256: null as unknown as string });
    return Promise.resolve();
  }
  save(images: readonly ImageRow[]) {
    for (const image of images) this.rows.set(image.key, image);
    return Promise.resolve();
  }
}

describe('upload', () => {
  let dir: string;
  let photos: string;
  let store: ObjectStore;
  let images: MemoryTable;
  let events: UploadEvent[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'visionscale-upload-'));
    photos = join(dir, 'photos');
    await mkdir(photos);
    store = openFileStore(join(dir, 'store'));
    await store.create();
    images = new MemoryTable();
    events = [];
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function write(files: Record<string, string>, root = photos) {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
  }
  const run = (options: Partial<UploadOptions> = {}, deps: Partial<UploadDeps> = {}) =>
    upload(
      {
        store,
        images,
        check,
        report: (event) => events.push(event),
        signal: new AbortController().signal,
        ...deps,
      },
      { paths: [photos], maxBytes: 1000, attempts: 2, ...options },
    );
  const stored = async () => (await collect(store.list())).map(({ key }) => key);
  const rejections = (result: { rejected: { path: string; reason: string }[] }) =>
    Object.fromEntries(result.rejected.map(({ path, reason }) => [path.replace(`${photos}/`, ''), reason]));
  const failing = (call: 'put' | 'head', error: (nth: number) => Error | undefined): ObjectStore => {
    let nth = 0;
    return new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const fault = name === call ? error(++nth) : undefined;
          return fault ? Promise.reject(fault) : Reflect.apply(value, target, args);
        };
      },
    });
  };
  const away = () => new ObjectError('the store is away', { code: 'unavailable', retryable: true });

  it('puts every image and writes its row; the second run uploads nothing', async () => {
    await write({ 'b/2.jpg': 'image two', 'a.jpg': 'image one!', 'b.jpg': 'image three' });
    const first = await run();
    expect(first).toMatchObject({ uploaded: 3, skipped: 0, rejected: [], bytes: 30, interrupted: false });
    expect(await stored()).toEqual(['a.jpg', 'b.jpg', 'b/2.jpg']);
    expect((await store.get('b/2.jpg', { maxBytes: 100 })).toString()).toBe('image two');
    expect(images.rows.get('b/2.jpg')).toEqual({
      key: 'b/2.jpg',
      sha256: sha256('image two'),
      bytes: 9,
      contentType: 'image/test',
    });

    const before = new Map(images.rows);
    const unwanted = () => Promise.reject(new Error('skipped images are not decoded again'));
    const second = await run({}, { check: unwanted });
    expect(second).toMatchObject({ uploaded: 0, skipped: 3, rejected: [], bytes: 0 });
    expect(images.rows).toEqual(before);
  });

  it('replaces what changed, and fills in a row made by hand', async () => {
    await write({ 'a.jpg': 'image one', 'b.jpg': 'image two', 'c.jpg': 'image three' });
    await run();
    images.rows.set('c.jpg', { ...images.rows.get('c.jpg')!, sha256: null as unknown as string });
    await write({ 'b.jpg': 'image two, changed' });
    events = [];
    expect(await run({ concurrency: 1 })).toMatchObject({ uploaded: 2, skipped: 1, bytes: 18 + 11 });
    expect((await store.get('b.jpg', { maxBytes: 100 })).toString()).toBe('image two, changed');
    expect(images.rows.get('b.jpg')?.sha256).toBe(sha256('image two, changed'));
    expect(images.rows.get('c.jpg')?.sha256).toBe(sha256('image three'));
    expect(events.filter(({ kind }) => kind === 'uploaded')).toEqual([
      expect.objectContaining({ key: 'b.jpg', replaced: true }),
      expect.objectContaining({ key: 'c.jpg', replaced: false }),
    ]);
  });

  it('rejects what is no image, with the reason, and goes on', async () => {
    await write({
      'a.jpg': 'image',
      'notes.jpg': 'text',
      'notes.txt': 'text',
      'empty.jpg': '',
      'z.jpg': `image${'x'.repeat(1000)}`,
    });
    const result = await run();
    expect(result).toMatchObject({ uploaded: 1, skipped: 0, passedOver: 1, passedOverKinds: { '.txt': 1 } });
    expect(rejections(result)).toEqual({
      'empty.jpg': 'it is not an image',
      'notes.jpg': 'it is not an image',
      'z.jpg': 'it has 1005 bytes, more than the 1000 allowed',
    });
    expect(await stored()).toEqual(['a.jpg']);
    expect([...images.rows.keys()]).toEqual(['a.jpg']);
  });

  it('passes over nothing that is named, nor anything where that is not wanted', async () => {
    await write({ 'a.jpg': 'image 1', 'b.dat': 'image 2', '.c.jpg': 'image 3' });
    const named = await run({ paths: [join(photos, 'b.dat'), join(photos, '.c.jpg')], dryRun: true });
    expect(named).toMatchObject({ wouldUpload: 2, passedOver: 0 });
    expect(await run({ include: ['*.{jpg,dat}'], dryRun: true })).toMatchObject({
      wouldUpload: 2,
      passedOverKinds: { '.*': 1 },
    });
    const strict = await run({ strict: true });
    expect(strict).toMatchObject({ uploaded: 1, passedOver: 0 });
    expect(rejections(strict)).toEqual({
      '.c.jpg': 'it is not an image by name',
      'b.dat': 'it is not an image by name',
    });
  });

  it('takes odd names as they are, passes over litter, and rejects names that cannot be keys', async () => {
    const good = [' a b#1%20+&.jpg', 'ü/日本😀.jpg', '-rf', 'back\\slash.jpg'];
    for (const name of good) await write({ [name]: `image ${name}` });
    await write({ '.DS_Store': 'x', 'Thumbs.db': 'x', 'sub/.DS_Store': 'x', '__MACOSX/x.jpg': 'image' });
    await write({ '.hidden.jpg': 'image', '.dot/x.jpg': 'image' });
    await write({ 'twin.jpg': 'image', '._twin.jpg': 'x', 'new\nline.jpg': 'image' });
    const invalid = Buffer.concat([Buffer.from(photos), Buffer.from('/bad-\xff.jpg', 'latin1')]);
    await writeFile(invalid, 'image');
    const result = await run();
    expect(await stored()).toEqual(
      [...good, 'twin.jpg'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(result.passedOverKinds).toEqual({
      '.DS_Store': 2,
      '.*': 1,
      '._*': 1,
      '.db': 1,
      '.dot/': 1,
      '__MACOSX/': 1,
    });
    expect(rejections(result)).toEqual({
      'bad-\ufffd.jpg': 'its name is not valid UTF-8: rename it',
      'new\nline.jpg': 'its name cannot be a key: it holds a control character',
    });
  });

  it('follows symbolic links within the tree, and rejects those that leave it or go round', async () => {
    await write({ 'real/1.jpg': 'image 1' });
    await write({ 'secret.jpg': 'image secret' }, dir);
    await symlink('real/1.jpg', join(photos, 'link.jpg'));
    await symlink('real', join(photos, 'alias'));
    await symlink('../secret.jpg', join(photos, 'out.jpg'));
    await symlink('/', join(photos, 'root'));
    await symlink('nothing', join(photos, 'broken.jpg'));
    await symlink('..', join(photos, 'real/up'));
    await symlink('self', join(photos, 'self'));
    const result = await run();
    expect(await stored()).toEqual(['alias/1.jpg', 'link.jpg', 'real/1.jpg']);
    expect(rejections(result)).toEqual({
      'alias/up': 'it is a symbolic link to a directory it lies in',
      'broken.jpg': 'it is a symbolic link to nothing',
      'real/up': 'it is a symbolic link to a directory it lies in',
      [photos]:
        '2 symbolic links lead out of it and were passed over (the first is out.jpg); --follow-links follows them',
      self: 'it is a symbolic link to itself',
    });
  });

  it('takes single files by their names, below the prefix', async () => {
    await write({ 'deep/er/1.jpg': 'image 1', 'deep/2.jpg': 'image 2' });
    await run({ paths: [join(photos, 'deep/er/1.jpg'), join(photos, 'deep')], prefix: '/cats/2026/' });
    expect(await stored()).toEqual(['cats/2026/1.jpg', 'cats/2026/2.jpg', 'cats/2026/er/1.jpg']);
    await expect(run({ prefix: 'a/../b' })).rejects.toBeInstanceOf(UsageError);
  });

  it('rejects a second path with the same key, but not the same file given twice', async () => {
    await write({ 'one/x.jpg': 'image 1', 'two/x.jpg': 'image 2' });
    const [one, two] = [join(photos, 'one'), join(photos, 'two')];
    const result = await run({ paths: [one, two, `${one}/`, join(one, 'x.jpg')] });
    expect(result).toMatchObject({ uploaded: 1 });
    expect(result.rejected).toEqual([
      { path: join(two, 'x.jpg'), reason: `it has the same key as ${join(one, 'x.jpg')}: x.jpg` },
    ]);
    expect((await store.get('x.jpg', { maxBytes: 100 })).toString()).toBe('image 1');
  });

  it('names every path that is not there before it begins', async () => {
    await write({ 'a.jpg': 'image' });
    const failure = run({ paths: [photos, join(dir, 'no'), join(dir, 'such')] });
    await expect(failure).rejects.toBeInstanceOf(UsageError);
    await expect(failure).rejects.toThrow(/no such file.*\/no\n.*\/such/);
    expect(await stored()).toEqual([]);
  });

  it('includes and excludes by glob', async () => {
    const names = [
      'a.jpg',
      'a.png',
      'sub/b.jpg',
      'sub/c.jpg',
      'sub/deep/d.jpg',
      'drafts/e.jpg',
      'drafts/sub/f.jpg',
    ];
    for (const name of names) await write({ [name]: 'image' });
    const kept = async (options: Partial<UploadOptions>) => {
      events = [];
      await run({ dryRun: true, concurrency: 1, ...options });
      return events.flatMap((event) => (event.kind === 'would_upload' ? [event.key] : []));
    };
    expect(await kept({ include: ['*.png'] })).toEqual(['a.png']);
    expect(await kept({ include: ['*.jpg'], exclude: ['drafts'] })).toEqual([
      'a.jpg',
      'sub/b.jpg',
      'sub/c.jpg',
      'sub/deep/d.jpg',
    ]);
    expect(await kept({ include: ['sub/*.jpg'] })).toEqual(['sub/b.jpg', 'sub/c.jpg']);
    expect(await kept({ include: ['sub/', 'drafts/**'], exclude: ['**/deep/**', 'drafts/e.*'] })).toEqual([
      'drafts/sub/f.jpg',
      'sub/b.jpg',
      'sub/c.jpg',
    ]);
    expect(await kept({ include: ['{a,b}.jpg'] })).toEqual(['a.jpg', 'sub/b.jpg']);
    await expect(run({ include: [''] })).rejects.toBeInstanceOf(UsageError);
  });

  it('writes nothing in a dry run, and says what it would do', async () => {
    await write({ 'a.jpg': 'image 1', 'b.jpg': 'image 2', 'c.jpg': 'text' });
    await run({ include: ['a.jpg'] });
    const result = await run({ dryRun: true });
    expect(result).toMatchObject({ uploaded: 0, wouldUpload: 1, skipped: 1, bytes: 0 });
    expect(result.rejected).toHaveLength(1);
    expect(await stored()).toEqual(['a.jpg']);
    expect([...images.rows.keys()]).toEqual(['a.jpg']);
  });

  it('finishes what an aborted run had in flight, and the next run does the rest', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `${String(at).padStart(2, '0')}.jpg`);
    for (const name of names) await write({ [name]: `image ${name}` });
    const abort = new AbortController();
    const report = (event: UploadEvent) => {
      events.push(event);
      if (event.kind === 'uploaded') abort.abort();
    };
    const first = await run({ concurrency: 4 }, { report, signal: abort.signal });
    expect(first.interrupted).toBe(true);
    expect(first.uploaded).toBeGreaterThan(0);
    expect(first.uploaded).toBeLessThanOrEqual(4);
    expect(await stored()).toEqual([...images.rows.keys()].sort());
    expect(images.rows.size).toBe(first.uploaded);
    expect(await run()).toMatchObject({ uploaded: 40 - first.uploaded, skipped: first.uploaded });
    expect(await stored()).toEqual(names);
  });

  it('leaves no row without an object when it dies between the two, and goes on', async () => {
    for (let at = 0; at < 10; at++) await write({ [`${at}.jpg`]: `image ${at}` });
    let saved = 0;
    const dying: ImageTable = {
      lookup: (keys) => images.lookup(keys),
      forget: (key) => images.forget(key),
      save: (rows) =>
        ++saved > 3
          ? Promise.reject(new DatabaseError('the server is gone', { code: 'gone' }))
          : images.save(rows),
    };
    await expect(run({ concurrency: 2 }, { images: dying })).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringContaining('upload stopped after 3 images') as string,
      hint: expect.stringContaining('Run the same command again') as string,
    });
    const objects = await stored();
    expect(images.rows.size).toBe(3);
    expect(objects.length).toBeGreaterThan(3);
    expect(objects).toEqual(expect.arrayContaining([...images.rows.keys()]));
    expect(await run()).toMatchObject({ uploaded: 7, skipped: 3 });
    expect((await stored()).length).toBe(10);
    expect(images.rows.size).toBe(10);
  });

  it('vouches for no object that it died replacing, should the old file come back', async () => {
    await write({ 'a.jpg': 'image one', 'b.jpg': 'image two' });
    await run();
    await write({ 'a.jpg': 'image one, changed' });
    const dying: ImageTable = {
      lookup: (keys) => images.lookup(keys),
      forget: (key) => images.forget(key),
      save: () => Promise.reject(new DatabaseError('the server is gone', { code: 'gone' })),
    };
    await expect(run({}, { images: dying })).rejects.toMatchObject({ code: 'gone' });
    await write({ 'a.jpg': 'image one' });
    expect(await run()).toMatchObject({ uploaded: 1, skipped: 1 });
    expect((await store.get('a.jpg', { maxBytes: 100 })).toString()).toBe('image one');
    expect(images.rows.get('a.jpg')?.sha256).toBe(sha256('image one'));
  });

  it('tries again while the store is away, then fails with what to do', async () => {
    await write({ 'a.jpg': 'image' });
    expect(await run({}, { store: failing('put', (nth) => (nth === 1 ? away() : undefined)) })).toMatchObject(
      { uploaded: 1 },
    );
    expect(events.filter(({ kind }) => kind === 'waiting')).toHaveLength(1);

    await write({ 'a.jpg': 'image, changed' });
    let puts = 0;
    await expect(
      run({ attempts: 3 }, { store: failing('put', (nth) => ((puts = nth), away())) }),
    ).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      hint: expect.stringContaining('again') as string,
    });
    expect(puts).toBe(3);
    // Nobody knows whether one of the puts arrived.
    expect(images.rows.get('a.jpg')?.sha256).toBeNull();
  });

  it('fails at once when access is denied', async () => {
    for (let at = 0; at < 30; at++) await write({ [`${at}.jpg`]: `image ${at}` });
    let puts = 0;
    const denied = failing('put', (nth) => {
      puts = nth;
      return new ObjectError('access denied', { code: 'access_denied' });
    });
    await expect(run({ concurrency: 4 }, { store: denied })).rejects.toMatchObject({ code: 'access_denied' });
    expect(puts).toBeLessThanOrEqual(4);
    expect(events.filter(({ kind }) => kind === 'waiting')).toEqual([]);
  });

  it('does not wait for a store that is away once it is aborted', async () => {
    await write({ 'a.jpg': 'image 1', 'b.jpg': 'image 2' });
    const abort = new AbortController();
    const report = (event: UploadEvent) => event.kind === 'waiting' && abort.abort();
    const result = await run(
      { attempts: 1000 },
      { report, signal: abort.signal, store: failing('put', away) },
    );
    expect(result).toMatchObject({ uploaded: 0, interrupted: true });
    expect(images.rows.size).toBe(0);
  });

  it('rejects a key that the store refuses, and fails for what is wrong with the check itself', async () => {
    await write({ 'a.jpg': 'image', 'b.jpg': 'image' });
    const refusing = failing('put', (nth) =>
      nth === 1 ? new ObjectError('a file is in the way', { code: 'bad_key' }) : undefined,
    );
    expect(await run({ concurrency: 1 }, { store: refusing })).toMatchObject({
      uploaded: 1,
      rejected: [{ path: join(photos, 'a.jpg'), reason: 'a file is in the way' }],
    });
    await expect(run({}, { check: () => Promise.reject(new TypeError('a bug')) })).rejects.toThrow('a bug');
  });

  it('puts what the store has lost, with recheck', async () => {
    await write({ 'a.jpg': 'image 1', 'b.jpg': 'image 2' });
    await run();
    await store.remove('a.jpg');
    expect(await run()).toMatchObject({ uploaded: 0, skipped: 2 });
    expect(await run({ recheck: true })).toMatchObject({ uploaded: 1, skipped: 1 });
    expect(await stored()).toEqual(['a.jpg', 'b.jpg']);
  });

  it('saves the rows that come while others are saved together', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `${n}.jpg`);
    await write(Object.fromEntries(names.map((name) => [name, `image ${name}`])));
    const saves: number[] = [];
    let saving = 0;
    const table: ImageTable = {
      lookup: (keys) => images.lookup(keys),
      forget: (key) => images.forget(key),
      async save(rows) {
        expect(++saving).toBe(1);
        saves.push(rows.length);
        // The first is under way until all others have been put.
        if (saves.length === 1) await vi.waitFor(async () => expect(await stored()).toHaveLength(20));
        await images.save(rows);
        saving--;
      },
    };
    expect(await run({ concurrency: 20 }, { images: table })).toMatchObject({ uploaded: 20 });
    expect(images.rows.size).toBe(20);
    expect(saves.length).toBeLessThan(20);
    expect(saves.reduce((sum, rows) => sum + rows, 0)).toBe(20);
  });

  it('holds no more images than its concurrency, and looks rows up in batches', async () => {
    for (let at = 0; at < 600; at++) await writeFile(join(photos, `${at}.jpg`), `image ${at}`);
    let inFlight = 0;
    let most = 0;
    const counting = async (bytes: Buffer) => {
      most = Math.max(most, ++inFlight);
      // Long enough for the others to be read from the disk meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 2));
      inFlight--;
      return check(bytes);
    };
    expect(await run({ concurrency: 3, dryRun: true }, { check: counting })).toMatchObject({
      wouldUpload: 600,
    });
    expect(most).toBe(3);
    expect(images.lookups).toEqual([256, 256, 88]);
    const found = events.filter(({ kind }) => kind === 'found');
    expect(found.at(-1)).toEqual({
      kind: 'found',
      files: 600,
      bytes: 600 * 6 + 10 + 90 * 2 + 500 * 3,
      complete: true,
    });
  });

  it('rejects a file that goes away between walk and reading', async () => {
    await write({ 'a.jpg': 'image', 'b.jpg': 'image' });
    const table: ImageTable = {
      async lookup(keys) {
        await unlink(join(photos, 'a.jpg'));
        return images.lookup(keys);
      },
      forget: (key) => images.forget(key),
      save: (rows) => images.save(rows),
    };
    const result = await run({}, { images: table });
    expect(result).toMatchObject({ uploaded: 1 });
    expect(rejections(result)).toEqual({ 'a.jpg': 'it was removed meanwhile' });
  });

  it('gives every file found exactly one outcome', async () => {
    await write({ 'a.jpg': 'image', 'b.jpg': 'text', 'c/d.jpg': 'image', 'new\nline.jpg': 'image' });
    await symlink('nothing', join(photos, 'broken'));
    await run({ include: ['a.jpg'] });
    events = [];
    await run();
    const outcomes = events.filter(({ kind }) => ['uploaded', 'skipped', 'rejected'].includes(kind));
    expect(outcomes).toHaveLength(5);
    expect(events.filter(({ kind }) => kind === 'found').at(-1)).toMatchObject({ files: 5, complete: true });
  });

  it.skipIf(process.getuid?.() === 0)('rejects what it may not read', async () => {
    await write({ 'a.jpg': 'image', 'b.jpg': 'image' });
    await mkdir(join(photos, 'closed'), { mode: 0o000 });
    await chmod(join(photos, 'b.jpg'), 0o000);
    const result = await run();
    expect(rejections(result)).toEqual({
      'b.jpg': 'it cannot be read: permission denied',
      closed: 'it cannot be read: permission denied',
    });
  });
});
