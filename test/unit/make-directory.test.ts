/** Directories that people name: made level by level, or refused by name before any work is done. */
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/lib/base/errors.ts';
import {
  freeBytes,
  makeDirectory,
  makeWritableDirectory,
  requireRoom,
  requireWritableFile,
} from '../../src/lib/base/files/make-directory.ts';
import { openModelStore } from '../../src/lib/models/store/store.ts';
import { rejection } from '../support/images.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-make-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('a directory', () => {
  it('is made with those above it, with its mode, and once', async () => {
    const path = join(dir, 'a/b/c');
    expect(await makeDirectory(path, 0o700)).toEqual([join(dir, 'a'), join(dir, 'a/b'), path]);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await makeDirectory(path)).toEqual([]);
    await symlink('a', join(dir, 'link'));
    expect(await makeWritableDirectory(join(dir, 'link/b/d'))).toHaveLength(1);
  });

  it('is made by several at once', async () => {
    const all = await Promise.all([1, 2, 3].map(() => makeDirectory(join(dir, 'x/y/z'))));
    expect(all.flat().sort()).toEqual(['x', 'x/y', 'x/y/z'].map((name) => join(dir, name)));
  });

  it('that cannot be is refused by name', async () => {
    await writeFile(join(dir, 'file'), '');
    for (const path of [join(dir, 'file'), join(dir, 'file/below')]) {
      const error = await rejection(makeWritableDirectory(path));
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toContain(path);
    }
  });

  it.runIf(process.platform === 'linux')('below /proc is refused, and not tried for ever', async () => {
    expect(await rejection(makeDirectory('/proc/nope/x'))).toMatchObject({ code: 'EPERM', syscall: 'mkdir' });
    expect(await rejection(makeWritableDirectory('/proc/nope/x'))).toBeInstanceOf(UsageError);
    expect(await rejection(openModelStore('/proc/nope/x').prepare(0))).toMatchObject({
      code: 'models_unwritable',
    });
    expect(await freeBytes('/proc')).toBeUndefined();
  });
});

describe('a file', () => {
  it('may be there or not, but be no directory', async () => {
    await requireWritableFile(join(dir, 'new/page.html'));
    await writeFile(join(dir, 'new/page.html'), '');
    await requireWritableFile(join(dir, 'new/page.html'));
    await mkdir(join(dir, 'taken'));
    expect(await rejection(requireWritableFile(join(dir, 'taken')))).toBeInstanceOf(UsageError);
    // Whatever the rights of root say.
    expect(await rejection(requireWritableFile('/proc/page.html'))).toBeInstanceOf(UsageError);
    expect(await readdir(join(dir, 'new'))).toEqual(['page.html']);
    await requireWritableFile(join(dir, 'new/other.html'));
    expect(await readdir(join(dir, 'new'))).toEqual(['page.html']);
  });
});

describe('room on the disk', () => {
  it('is asked for before work begins', async () => {
    const free = (await freeBytes(dir))!;
    expect(free).toBeGreaterThan(0);
    await requireRoom(dir, 1, 'nothing');
    const error = await rejection(requireRoom(dir, 2 ** 60, 'a checkpoint'));
    expect(error).toMatchObject({ code: 'disk_full' });
    expect((error as Error).message).toContain(`the disk of ${dir} has`);
    await requireRoom('/proc', 2 ** 60, 'what nobody knows');
  });
});
