/** The CSV that `classify --out` writes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { unwrittenFile } from '../../src/lib/base/files/disk.ts';
import { LabelsFile } from '../../src/lib/local/classify/labels-file.ts';

it('runs nothing in a spreadsheet: what begins as a formula is text, also in a later run', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'visionscale-labels-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, 'labels.csv');
  const names = ['=1+1.jpg', '+1.jpg', '-1.jpg', '@a.jpg', '\tb.jpg', '=HYPERLINK("http://x").jpg'];
  const options = { server: 'http://127.0.0.1:1', again: false };
  for (const part of [names.slice(0, 3), names.slice(3)]) {
    await using labels = await LabelsFile.open(path, options);
    for (const image of part) {
      const result = { image, category: image, confidence: 50, bin: '=bin', model: '@model', id: '-id' };
      await labels.add('0'.repeat(64), { ...result, top: [], novelty: null, modelDigest: 'sha256:' });
    }
  }
  const text = await readFile(path, 'utf8');
  expect(text.trimEnd().split('\n')).toHaveLength(1 + names.length);
  expect(text).not.toMatch(/(^|[\n,])"?[=+\-@\t]/);
  for (const name of ["'=1+1.jpg", "'@a.jpg", "'=bin", "'@model", "'-id"]) expect(text).toContain(name);
});

it.each([
  ['ENOSPC', 'disk_full', 'labels.csv cannot be written: the disk is full'],
  ['EIO', 'cannot_write', 'labels.csv cannot be written: EIO: it broke'],
])('says of a file that %s kept from being written: %s', (system, code, message) => {
  const error = Object.assign(new Error(`${system}: it broke`), { code: system });
  expect(unwrittenFile(error, 'labels.csv')).toMatchObject({ code, message, cause: error });
});
