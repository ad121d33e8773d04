/** Reading labelled folders: what belongs to a data set, what is left out, and which mistakes are named. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/lib/base/errors.ts';
import { readClassFolders } from '../../../src/lib/learning/datasets/dataset.ts';
import { readSets, withoutExamples } from '../../../src/lib/learning/datasets/sets.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import { colouredPng, openFolders, writeColours, type Folders } from '../../support/class-folders.ts';
import { rejection } from '../../support/images.ts';

const { signal } = new AbortController();

describe('class folders', () => {
  let folders: Folders;
  beforeEach(async () => {
    folders = await openFolders();
    await writeColours(folders, 3);
  });
  afterEach(() => folders[Symbol.asyncDispose]());
  const read = (options: Partial<Parameters<typeof readClassFolders>[1]> = {}) =>
    readClassFolders(folders.path, { signal, ...options });

  it('are the classes, in byte order; what lies deeper belongs to them', async () => {
    await folders.write('red/deep/er.png', await colouredPng('red', 99));
    await folders.write('LICENSE', 'no image, and in no folder');
    const { labels, examples, unreadable, leftOut } = await read();
    expect({ labels, unreadable, leftOut }).toEqual({
      labels: ['blue', 'green', 'red'],
      unreadable: [],
      leftOut: [],
    });
    expect(examples.map(({ label }) => label)).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 2]);
    expect(examples.map(({ path }) => path)).toContain(join(folders.path, 'red/deep/er.png'));
    expect(new Set(examples.map(({ sha256 }) => sha256)).size).toBe(10);
  });

  it('may be chosen and ordered', async () => {
    const { labels, examples, leftOut } = await read({ classes: ['red', 'blue'] });
    expect(labels).toEqual(['red', 'blue']);
    expect(leftOut).toEqual(['green']);
    expect(examples.filter(({ label }) => label === 0).every(({ path }) => path.includes('/red/'))).toBe(
      true,
    );
    expect(examples).toHaveLength(6);
  });

  it('list what cannot be read, and go on', async () => {
    await folders.write('red/notes.txt', 'no image');
    await folders.write('red/.thumbs/0.png', 'no image');
    await folders.write('red/cut.png', (await colouredPng('red', 5)).subarray(0, 60));
    await symlink('/etc/hostname', join(folders.path, 'red/outside.png'));
    const { examples, unreadable, passedOver } = await read();
    expect(examples).toHaveLength(9);
    expect(passedOver).toEqual({ passedOver: 2, passedOverKinds: { '.thumbs/': 1, '.txt': 1 } });
    expect(unreadable.map(({ path }) => path.slice(folders.path.length + 1)).sort()).toEqual([
      '', // the directory, for the link that leads out of it
      'red/cut.png',
    ]);
    expect(unreadable.at(-1)!.reason).toContain('red/outside.png');
    expect(unreadable.every(({ reason }) => reason.length > 5)).toBe(true);
    const strict = await rejection(read({ strict: true }));
    expect(strict).toMatchObject({ code: 'dataset_invalid' });
    for (const line of ['red/notes.txt: it is not an image by name', 'red/cut.png: ', 'red/.thumbs: '])
      expect((strict as Error).message).toContain(line);
  });

  it.each([
    [{ classes: ['red', 'green', 'violet', 'white'] }, /no folder for the classes "violet", "white"/],
    [{ classes: ['red'] }, /one class only, "red"/],
    [{ classes: ['red', 'blue'], partial: { ignore: [] } }, /not among the classes: "green"/],
  ])('that do not fit %j are an error that names them', async (options, message) => {
    const error = await rejection(read(options));
    expect(error).toMatchObject({ code: 'dataset_invalid' });
    expect((error as Error).message).toMatch(message);
  });

  it('without a readable image are an error that names them', async () => {
    await mkdir(join(folders.path, 'violet'));
    await folders.write('white/a.jpg', 'not a jpeg');
    const error = await rejection(read());
    expect((error as Error).message).toMatch(/no readable image of the classes "violet", "white"/);
    expect((error as { hint?: string }).hint).toMatch(/white\/a\.jpg: the content is not an image/);
  });

  it('that are not there are wrong usage', async () => {
    expect(await rejection(readClassFolders(join(folders.path, 'absent'), { signal }))).toBeInstanceOf(
      UsageError,
    );
    expect(await rejection(read({ classes: ['red', 'red'] }))).toBeInstanceOf(UsageError);
  });

  it('stop when aborted', async () => {
    expect(await rejection(read({ signal: AbortSignal.abort(new Error('enough')) }))).toMatchObject({
      message: 'enough',
    });
  });

  it('with a hold-out: classes that it lacks are named, not refused', async () => {
    await using val = await openFolders();
    await writeColours(val, 2, '', 5000);
    await rm(join(val.path, 'green'), { recursive: true });
    const options = { limits: defaultLimits, signal, onProgress: () => undefined };
    const sets = await readSets({ dir: folders.path, val: val.path, ...options });
    expect(withoutExamples(sets.labels, sets.held!)).toEqual(['green']);
    expect([sets.train.length, sets.held!.length]).toEqual([9, 4]);
    await rm(join(val.path, 'blue'), { recursive: true });
    const error = await rejection(readSets({ dir: folders.path, val: val.path, ...options }));
    expect((error as Error).message).toMatch(/images of one class only; it lacks "blue", "green"/);
  });
});
