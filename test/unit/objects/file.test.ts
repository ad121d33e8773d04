/** The object store in a directory: what only a file system brings. */
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../src/lib/systems/objects/file/file.ts';
import type { ObjectStore } from '../../../src/lib/systems/objects/store.ts';
import { collect } from '../../contract/objects.ts';

const jpeg = { contentType: 'image/jpeg' };
const maxBytes = 1000;

describe('file store', () => {
  let dir: string;
  let root: string;
  let outside: string;
  let store: ObjectStore;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'visionscale-file-'));
    root = join(dir, 'store');
    outside = join(dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'secret.jpg'), 'secret');
    store = openFileStore(root);
    await store.create();
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const keys = async () => (await collect(store.list())).map(({ key }) => key);

  it('keeps ordinary keys as ordinary files, and finds files put there by hand', async () => {
    await store.put('cats/1.jpg', Buffer.from('one'), jpeg);
    expect(await readFile(join(root, 'cats/1.jpg'), 'utf8')).toBe('one');
    await writeFile(join(root, 'cats/by hand.jpg'), 'two');
    expect(await keys()).toEqual(['cats/1.jpg', 'cats/by hand.jpg']);
    expect((await store.get('cats/by hand.jpg', { maxBytes })).toString()).toBe('two');
  });

  it('does not follow symbolic links out of the store', async () => {
    await symlink(outside, join(root, 'link'));
    await symlink(join(outside, 'secret.jpg'), join(root, 'link.jpg'));
    await expect(store.get('link/secret.jpg', { maxBytes })).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.get('link.jpg', { maxBytes })).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.head('link/secret.jpg')).toBeNull();
    expect(await keys()).toEqual([]);
    expect(await collect(store.list('link/'))).toEqual([]);
    await expect(store.put('link/new.jpg', Buffer.from('x'), jpeg)).rejects.toMatchObject({
      code: 'bad_key',
    });
    await expect(store.put('link/deep/new.jpg', Buffer.from('x'), jpeg)).rejects.toMatchObject({
      code: 'bad_key',
    });
    await store.remove('link/secret.jpg');
    await store.remove('link.jpg');
    expect(await readdir(outside)).toEqual(['secret.jpg']);

    await store.put('link.jpg', Buffer.from('mine'), jpeg); // takes the link's place
    expect((await store.get('link.jpg', { maxBytes })).toString()).toBe('mine');
    expect(await readFile(join(outside, 'secret.jpg'), 'utf8')).toBe('secret');

    await rm(join(root, '%tmp'), { recursive: true });
    await symlink(outside, join(root, '%tmp'));
    const another = openFileStore(root);
    await expect(another.put('x.jpg', Buffer.from('x'), jpeg)).rejects.toMatchObject({ code: 'bad_key' });
    expect(await readdir(outside)).toEqual(['secret.jpg']);
  });

  it('may itself be reached through a link', async () => {
    await symlink(root, join(dir, 'alias'));
    const alias = openFileStore(join(dir, 'alias'));
    await alias.put('a/b.jpg', Buffer.from('x'), jpeg);
    expect(await keys()).toEqual(['a/b.jpg']);
    expect(await collect(alias.list())).toEqual([{ key: 'a/b.jpg', bytes: 1 }]);
  });

  it('leaves no temporary files, never lists them, and removes what a killed writer left an hour ago', async () => {
    await mkdir(join(root, '%tmp'));
    await writeFile(join(root, '%tmp', 'killed-long-ago'), 'half');
    await writeFile(join(root, '%tmp', 'being-written.jpg'), 'half');
    const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    await utimes(join(root, '%tmp', 'killed-long-ago'), longAgo, longAgo);
    expect(await keys()).toEqual([]);
    await store.put('a.jpg', Buffer.from('x'), jpeg);
    expect(await readdir(join(root, '%tmp'))).toEqual(['being-written.jpg']);
    expect(await keys()).toEqual(['a.jpg']);

    await rm(join(root, '%tmp'), { recursive: true });
    const put = () => store.put('b.jpg', Buffer.from('x'), jpeg);
    await expect(put()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await put();
  });

  it('refuses clearly what a stranger put in the way, and leaves nothing behind', async () => {
    await mkdir(join(root, 'dir.jpg'));
    await writeFile(join(root, 'file'), 'x');
    await expect(store.put('dir.jpg', Buffer.from('x'), jpeg)).rejects.toMatchObject({ code: 'bad_key' });
    await expect(store.put('file/x.jpg', Buffer.from('x'), jpeg)).rejects.toMatchObject({ code: 'bad_key' });
    expect(await store.head('dir.jpg')).toBeNull();
    expect(await readdir(root)).toEqual(['dir.jpg', 'file']);
  });

  it('refuses paths longer than the file system takes', async () => {
    const deep = openFileStore(join(dir, ...Array.from({ length: 16 }, () => 'd'.repeat(200))));
    await deep.create();
    await expect(deep.put('*'.repeat(1000), Buffer.from('x'), jpeg)).rejects.toMatchObject({
      code: 'bad_key',
      retryable: false,
    });
  });

  it.skipIf(process.platform === 'win32')(
    'keeps images to itself, unless its directory is shared',
    async () => {
      const modes = async (at: string) => {
        const store = openFileStore(at);
        await store.create();
        await store.put('belt/a.jpg', Buffer.from('x'), jpeg);
        const mode = async (path: string) => (await stat(join(at, path))).mode & 0o777;
        return [await mode('.'), await mode('belt'), await mode('belt/a.jpg')];
      };
      expect(await modes(join(dir, 'its own', 'images'))).toEqual([0o700, 0o700, 0o600]);
      const shared = join(dir, 'shared');
      await mkdir(shared);
      await chmod(shared, 0o755);
      const open = 0o777 & ~process.umask();
      expect(await modes(shared)).toEqual([0o755, open, open & 0o666]);
    },
  );

  it('calls no object missing while its own directory goes away', async () => {
    await store.put('cats/1.jpg', Buffer.from('one'), jpeg);
    const codes = new Set<unknown>();
    for (let round = 0; round < 100; round++) {
      const reading = Promise.allSettled(
        Array.from({ length: 20 }, () => store.get('cats/1.jpg', { maxBytes })),
      );
      await rename(root, join(dir, 'away'));
      for (const read of await reading) {
        if (read.status === 'rejected') codes.add((read.reason as { code?: unknown }).code);
      }
      await expect(store.get('cats/1.jpg', { maxBytes })).rejects.toMatchObject({ code: 'bucket_missing' });
      await rename(join(dir, 'away'), root);
    }
    expect(codes.size).toBeGreaterThan(0);
    // Which of the two depends on the step that met it; both are waited for.
    for (const code of codes) expect(['bucket_missing', 'unavailable']).toContain(code);
  });

  it('says where it is as a URL', () => {
    expect(store.url).toBe(pathToFileURL(root).href);
    expect(openFileStore('/with space/and%/#').url).toBe('file:///with%20space/and%25/%23');
  });

  it.skipIf(process.getuid?.() === 0)('says access_denied', async () => {
    await mkdir(join(root, 'closed'), { mode: 0o000 });
    await expect(store.get('closed/x.jpg', { maxBytes })).rejects.toMatchObject({
      code: 'access_denied',
      retryable: false,
    });
  });
});
