/** Symbolic links below a directory: followed, passed over together, and never in circles. */
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pathFilter, walk, type WalkOptions } from '../../src/lib/base/files/walk.ts';
import { readClassFolders } from '../../src/lib/learning/datasets/dataset.ts';
import { colouredPng, openFolders, type Folders } from '../support/class-folders.ts';
import { rejection } from '../support/images.ts';

const { signal } = new AbortController();

describe('a walk', () => {
  let all: Folders;
  let root: string;
  beforeEach(async () => {
    all = await openFolders();
    root = join(all.path, 'data');
    for (const name of ['data/cats/0.jpg', 'pool/1.jpg', 'pool/2.jpg', 'pool/deep/3.jpg'])
      await all.write(name, name);
  });
  afterEach(() => all[Symbol.asyncDispose]());

  async function walked(options?: WalkOptions, filter = pathFilter()) {
    const files: string[] = [];
    const rejected: Record<string, string> = {};
    const passedOver: string[] = [];
    for await (const found of walk(root, filter, signal, options)) {
      if ('file' in found) files.push(found.file.relative);
      else if ('passedOver' in found) passedOver.push(found.passedOver);
      else rejected[found.rejected.path.slice(root.length)] = found.rejected.reason;
    }
    return { files, rejected, ...(passedOver.length > 0 && { passedOver: passedOver.sort() }) };
  }

  it('passes over the links that lead out of the directory, and says so in one line', async () => {
    for (const n of [1, 2]) await symlink(`../../pool/${n}.jpg`, join(root, `cats/l${n}.jpg`));
    await symlink('../pool', join(root, 'dogs'));
    await symlink('nothing', join(root, 'cats/broken.jpg'));
    expect(await walked({ followLinks: false })).toEqual({
      files: ['cats/0.jpg'],
      rejected: {
        '/cats/broken.jpg': 'it is a symbolic link to nothing',
        '':
          '3 symbolic links lead out of it and were passed over (the first is dogs); ' +
          '--follow-links follows them',
      },
    });
    // Where there is no such flag, none is told of.
    expect((await walked()).rejected['']).not.toContain('--follow-links');
  });

  it('follows them when told, and still names those to nothing', async () => {
    await symlink('../../pool/1.jpg', join(root, 'cats/l1.jpg'));
    await symlink('../pool', join(root, 'dogs'));
    await symlink('nothing', join(root, 'cats/broken.jpg'));
    expect(await walked({ followLinks: true })).toEqual({
      files: ['cats/0.jpg', 'cats/l1.jpg', 'dogs/1.jpg', 'dogs/2.jpg', 'dogs/deep/3.jpg'],
      rejected: { '/cats/broken.jpg': 'it is a symbolic link to nothing' },
    });
  });

  it('ends where links lead in circles, above the directory, or to each other', async () => {
    await symlink('../pool', join(root, 'dogs'));
    await symlink('../data', join(all.path, 'pool/back'));
    await symlink('/', join(root, 'cats/root'));
    await symlink('..', join(root, 'cats/up'));
    await symlink('../..', join(root, 'cats/above'));
    // Twelve directories that all link to each other: more ways than anybody could walk.
    const many = Array.from({ length: 12 }, (_, i) => `m${i}`);
    for (const name of many) await mkdir(join(all.path, 'web', name), { recursive: true });
    for (const from of many) {
      for (const to of many) if (from !== to) await symlink(`../${to}`, join(all.path, 'web', from, to));
      await all.write(`web/${from}/x.jpg`, from);
    }
    await symlink('../web', join(root, 'web'));
    const { files, rejected } = await walked({ followLinks: true });
    expect(files.slice(0, 4)).toEqual(['cats/0.jpg', 'dogs/1.jpg', 'dogs/2.jpg', 'dogs/deep/3.jpg']);
    expect(files.length).toBeLessThan(100);
    for (const place of ['/cats/root', '/cats/up', '/cats/above', '/dogs/back'])
      expect(rejected[place]).toBe('it is a symbolic link to a directory it lies in');
  });

  it('passes over what is no image by name, also behind links, but no directory for its name', async () => {
    for (const name of ['data/cats/notes.txt', 'data/.git/x.jpg', 'data/photos.old/1.jpg', 'pool/a.csv'])
      await all.write(name, name);
    await symlink('cats/notes.txt', join(root, 'linked.txt'));
    await symlink('nothing', join(root, 'broken.md'));
    await symlink('photos.old', join(root, 'photos.new'));
    await symlink('../pool/a.csv', join(root, 'out.csv'));
    const files = ['cats/0.jpg', 'photos.new/1.jpg', 'photos.old/1.jpg'];
    expect(await walked()).toEqual({
      files,
      rejected: {},
      passedOver: ['.csv', '.git/', '.md', '.txt', '.txt'],
    });
    const strict = await walked({ strict: true });
    expect(strict.passedOver).toBeUndefined();
    expect(strict.rejected).toMatchObject({
      '/cats/notes.txt': 'it is not an image by name',
      '/.git': 'directories of this name are not entered',
    });
    // What nobody wants is not counted, and what somebody asks for by its extension is meant.
    const { passedOver, ...rest } = await walked({}, pathFilter(['*.jpg'], ['.git']));
    expect([rest.files, passedOver]).toEqual([files, undefined]);
    expect((await walked({}, pathFilter(['cats/*.txt']))).files).toEqual(['cats/notes.txt']);
  });

  it('gives a training set of links its images', async () => {
    await all.write('pool/red.png', await colouredPng('red', 1));
    await all.write('pool2/blue.png', await colouredPng('blue', 2));
    const set = join(all.path, 'set');
    await mkdir(join(set, 'red'), { recursive: true });
    await symlink('../../pool/red.png', join(set, 'red/1.png'));
    await symlink('../pool2', join(set, 'blue'));
    const { labels, examples } = await readClassFolders(set, { signal, followLinks: true });
    expect(labels).toEqual(['blue', 'red']);
    expect(examples.map(({ path }) => path.slice(set.length))).toEqual(['/blue/blue.png', '/red/1.png']);
    const error = await rejection(readClassFolders(set, { signal }));
    expect((error as { hint?: string }).hint).toContain('--follow-links');
  });
});
