/** Names of classes as file systems allow them: in one form, or refused before any work. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { className, labelFault, folderName } from '../../../src/lib/base/files/class-folders.ts';
import { readClassFolders } from '../../../src/lib/learning/datasets/dataset.ts';
import { readSets, withCorrections } from '../../../src/lib/learning/datasets/sets.ts';
import { matchFolders } from '../../../src/lib/learning/evaluate/evaluate.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import { colouredPng, openFolders, type Folders } from '../../support/class-folders.ts';
import { rejection } from '../../support/images.ts';
import { itThorough } from '../../support/thorough.ts';

const { signal } = new AbortController();
const [composed, apart] = ['Äpfel'.normalize('NFC'), 'Äpfel'.normalize('NFD')];

describe('the folders of classes', () => {
  let folders: Folders;
  beforeEach(async () => {
    folders = await openFolders();
  });
  afterEach(() => folders[Symbol.asyncDispose]());
  let seed = 0;
  const write = async (...names: string[]) => {
    for (const name of names) {
      for (const file of ['1.png', '2.png'])
        await folders.write(join(name, file), await colouredPng('red', ++seed));
    }
  };
  const labels = async (options: Partial<Parameters<typeof readClassFolders>[1]> = {}) =>
    (await readClassFolders(folders.path, { signal, ...options })).labels;

  it('are named in one Unicode form, whatever wrote them', async () => {
    await write(apart, 'Birnen');
    expect(await labels()).toEqual(['Birnen', composed]);
    expect(await labels({ classes: ['Birnen', apart] })).toEqual(['Birnen', composed]);
    const { examples } = await readClassFolders(folders.path, { signal });
    expect(examples.map(({ label }) => label).sort()).toEqual([0, 0, 1, 1]);
  });

  itThorough('of a hold-out are the same classes in another form, and the model knows both', async () => {
    await write(composed, 'Birnen');
    await using val = await openFolders();
    for (const name of [apart, 'Birnen'])
      await val.write(join(name, '1.png'), await colouredPng('blue', ++seed));
    const options = { valSplit: 0.2, seed: 1, limits: defaultLimits, signal, onProgress: () => undefined };
    const sets = await readSets({ dir: folders.path, val: val.path, ...options });
    expect(sets).toMatchObject({ labels: ['Birnen', composed] });
    expect(sets.held!.map(({ label }) => label).sort()).toEqual([0, 1]);
    expect(matchFolders([apart, composed], sets.labels).unknown).toEqual([]);
  });

  it('that are one name are refused together, and may be left out', async () => {
    await write(apart, composed, 'Birnen', 'Nüsse');
    const error = await rejection(labels());
    expect(error).toMatchObject({ code: 'dataset_invalid' });
    expect((error as Error).message).toContain(`they are the same name, "${composed}"`);
    expect(await labels({ classes: ['Birnen', 'Nüsse'] })).toEqual(['Birnen', 'Nüsse']);
  });

  it.each([
    ['dark\nblue', '"dark\\nblue": it has a line break'],
    ['b\u202eell', '"b\\u{202e}ell": it has a line break or another control'],
    ['bell\u0007', '"bell\\u0007": it has a line break or another control'],
    ['end\u001b[31m', '"end\\u001b[31m": it has'],
    ['two\u2028lines', '"two\\u{2028}lines": it has a line break'],
    ['blue ', '"blue ": it ends with a space'],
    [' blue', '" blue": it begins with a space'],
    ['blue\u00a0', '"blue\\u{a0}": it ends with a space'],
    ['   ', '"   ": it is empty'],
    ['%', '"%": it is empty'],
    ['blue%20', '"blue%20": it ends with a space'],
  ])('that no list of labels can hold are refused before any image is read: %j', async (name, words) => {
    await write(name, 'red');
    let looked = 0;
    const error = await rejection(labels({ onProgress: () => looked++ }));
    expect(error).toMatchObject({ code: 'dataset_invalid' });
    expect((error as Error).message).toContain(words);
    expect(looked).toBe(0);
  });

  itThorough('may be of any letters, differ by case, and be what an export writes', async () => {
    const long = 'x'.repeat(180);
    const names = ['Nut', 'nut', '🔩', 'sieben Äpfel', 'a%2Fb', '%2Enet', '50 %25', '100%', '5%20off', long];
    await write(...names);
    expect((await labels()).sort()).toEqual(
      ['Nut', 'nut', '🔩', 'sieben Äpfel', 'a/b', '.net', '50 %', '100%', '5%20off', long].sort(),
    );
  });

  it('are no files, and no links to files', async () => {
    await write('red', 'blue');
    await folders.write('labels', 'red\nblue\n');
    const { symlink } = await import('node:fs/promises');
    await symlink('labels', join(folders.path, 'linked'));
    await mkdir(join(folders.path, '.cache'));
    expect(await labels()).toEqual(['blue', 'red']);
  });
});

describe('a label', () => {
  it('is the same for training, judging, exporting and correcting', () => {
    for (const label of ['gear', 'a/b', '.net', 'con', '50 %', 'Äpfel', '🔩', '5%20off']) {
      expect(labelFault(label)).toBeUndefined();
      expect(className(folderName(label))).toBe(label);
      expect(matchFolders([folderName(label)], [label]).labels.get(folderName(label))).toBe(label);
    }
  });

  it('of a correction is a class in one form with the folder’s', () => {
    const [red, other] = [
      { path: 'a', label: 0, sha256: 'a' },
      { path: 'b', label: 1, sha256: 'b' },
    ];
    const set = (labels: string[]) => ({ labels, examples: [red, other], unreadable: [], leftOut: [] });
    const both = withCorrections(set(['Birnen', composed]), set(['Birnen', composed]), ['Birnen', apart]);
    expect(both.labels).toEqual(['Birnen', composed]);
  });
});
