/** The models that `model pull` knows by name, and the hub's names. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../../src/lib/models/format/manifest.ts';
import { catalogue, inCatalogue } from '../../../src/lib/models/pull/catalogue.ts';
import { isModelName, parseReference } from '../../../src/lib/models/store/entry.ts';
import {
  comesFrom,
  hubSourceText,
  isCommit,
  isHubFile,
  parseHubReference,
  parseHubSource,
} from '../../../src/lib/models/store/hub-reference.ts';

describe('the catalogue', () => {
  it.each(catalogue)('$name: a name, an address that cannot change, and a preprocessing', (model) => {
    const { name, from, preprocessing, top1Source } = model;
    expect(isModelName(name)).toBe(true);
    expect(inCatalogue(name)).toBe(model);
    expect(URL.canParse(top1Source)).toBe(true);
    expect(parseManifest(JSON.stringify({ name, preprocessing })).preprocessing).toEqual(preprocessing);
    if (from.kind === 'pth') {
      // torchvision's names end in the first digits of the sha256.
      const [, digits] = /-([0-9a-f]{8})\.pth$/.exec(from.url) ?? [];
      expect(from.sha256.slice(0, 8)).toBe(digits);
    } else {
      expect(isCommit(from.commit)).toBe(true);
      expect(parseHubReference(`hf:${from.repository}@${from.commit}`)).toBeDefined();
    }
  });

  it('is what docs/models.md lists', () => {
    const text = readFileSync(new URL('../../../docs/models.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| `([\w]+)` +\| +([\d.]+) % \| +([\d.]*) *\| (.*?) *\|$/gm)];
    const listed = rows.map(([, name, top1, cost, from]) => ({ name, top1, cost, from }));
    expect(listed.map(({ name, top1, cost }) => [name, top1, cost])).toEqual(
      catalogue.map(({ name, top1, cost }) => [name, top1.toFixed(1), cost === undefined ? '' : `${cost}`]),
    );
    for (const [i, { from }] of catalogue.entries())
      if (from.kind === 'hub') expect(listed[i]?.from).toBe(`hub: \`${from.repository}\``);
  });

  it('knows squeezenet1_1 by its former name, and nothing of an object', () => {
    expect(inCatalogue('imagenet')?.name).toBe('squeezenet1_1');
    expect(inCatalogue('toString')).toBeUndefined();
  });
});

describe('a model of the hub', () => {
  const source = {
    repository: 'onnx-community/mobilenetv3_large_100.ra_in1k',
    revision: 'refs/pr/1',
    commit: 'abcdef0123'.repeat(4),
    file: 'onnx/model_fp16.onnx',
    sha256: '0123456789abcdef'.repeat(4),
  };

  it('is written into a manifest and read from it', () => {
    expect(parseHubSource(hubSourceText(source))).toEqual(source);
    for (const other of [undefined, '', 'net.onnx', 'https://h/a.pth sha256:00', `${hubSourceText(source)} `])
      expect(parseHubSource(other)).toBeUndefined();
  });

  it.each([
    ['hf:onnx-community/mobilenetv3_large_100.ra_in1k', true],
    ['hf:ONNX-community/mobilenetv3_large_100.ra_in1k', true],
    ['hf:onnx-community/mobilenetv3_large_100.ra_in1k@refs/pr/1', true],
    ['hf:onnx-community/mobilenetv3_large_100.ra_in1k@abcdef0', true],
    ['hf:onnx-community/mobilenetv3_large_100.ra_in1k@abcdef', false],
    ['hf:onnx-community/mobilenetv3_large_100.ra_in1k@main', false],
    ['hf:other/mobilenetv3_large_100.ra_in1k', false],
  ])('is meant by %s: %s', (text, meant) => {
    const parsed = parseReference(text);
    expect(parsed.kind === 'hub' && comesFrom(hubSourceText(source), parsed.reference)).toBe(meant);
  });

  it('is no path, and a path is no such model', () => {
    for (const text of ['hf:a', 'hf:a/b/c', 'hf:./x', 'hf:a/..', 'HF:a/b', './hf:a/b'])
      expect(parseReference(text).kind, text).toBe('path');
    expect(parseReference('hf').kind).toBe('name');
  });

  it.each(['../x.onnx', '/x.onnx', 'a//x.onnx', 'a/../x.onnx', 'a b.onnx', 'x.onnx?y', `${'x'.repeat(256)}`])(
    'has no file %s',
    (path) => expect(isHubFile(path)).toBe(false),
  );
});
