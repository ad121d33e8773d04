/** Labels as people have them, and what is said of those that would name the wrong class. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import { findLabels, parseLabels, repeatedLabels } from '../../../src/lib/models/format/labels.ts';
import { LiteralMap, readLiteral } from '../../../src/lib/models/format/literal.ts';
import { rejection } from '../../support/images.ts';
import { writeTinyModel } from '../../support/tiny-models.ts';

const three = ['cat', 'dog, hound', 'übel "x"'];

describe('labels', () => {
  it.each([
    ['lines', 'labels.txt', 'cat\ndog, hound\nübel "x"\n'],
    [
      'lines of Windows, and empty ones at the end',
      'labels.txt',
      'cat\r\ndog, hound\r\nübel "x"\r\n\r\n  \n',
    ],
    ['lines without a last end', 'labels.txt', 'cat\ndog, hound\nübel "x"'],
    ['numbered lines', 'labels.txt', '0: cat\n2: übel "x"\n1: dog, hound\n'],
    ['numbered lines in quotes', 'names.yaml', "  0: 'cat'\n  1: 'dog, hound'\n  2: übel \"x\"\n"],
    ['a list', 'labels.json', JSON.stringify(three)],
    ['a list in a text file', 'labels.txt', JSON.stringify(three, undefined, 2)],
    ['a list of Python', 'labels.txt', `['cat', 'dog, hound', 'übel "x"',]`],
    ['a map by index', 'labels.json', JSON.stringify({ 1: three[1], 0: three[0], 2: three[2] })],
    ['a map of Python', 'classes.txt', `{0: 'cat',\n 1: "dog, hound",\n 2: 'übel \\"x\\"'}\n`],
    ['a map by name', 'labels.json', JSON.stringify({ 'dog, hound': 1, cat: 0, 'übel "x"': 2 })],
    [
      'Hugging Face’s',
      'config.json',
      JSON.stringify({
        model_type: 'vit',
        num_hidden_layers: 12,
        dropout: 0.1,
        tied: false,
        nothing: null,
        id2label: { ...three },
        label2id: {},
      }),
    ],
    [
      'Hugging Face’s other way',
      'config.json',
      '{"label2id": {"cat": 0, "dog, hound": 1, "übel \\"x\\"": 2}}',
    ],
    [
      'ImageNet’s index',
      'index.json',
      '{"0": ["n1", "cat"], "1": ["n2", "dog, hound"], "2": ["n3", "übel \\"x\\""]}',
    ],
  ])('are read from %s', (_, name, text) => {
    expect(parseLabels(text, name)).toEqual(three);
  });

  it('that only begin as a list are lines', () => {
    expect(parseLabels('[unknown]\n{other}\n', 'labels.txt')).toEqual(['[unknown]', '{other}']);
    expect(parseLabels('12:30\n13:30\n', 'labels.txt')).toEqual(['12:30', '13:30']);
  });

  it.each([
    ['a blank line', 'labels.txt', 'cat\n\ndog\n', 'line 2 of labels.txt is empty'],
    ['a line of spaces', 'labels.txt', 'cat\n \t\r\ndog\n', 'line 2 of labels.txt is empty'],
    ['a blank line at the beginning', 'labels.txt', '\ncat\n', 'line 1 of labels.txt is empty'],
    ['an empty entry', 'labels.json', '["cat", ""]', 'label 2 of labels.json is empty'],
    ['nothing', 'labels.txt', '\n\n', 'labels.txt has no labels'],
    ['an empty list', 'labels.json', '[]', 'labels.json has no labels'],
    [
      'a control character',
      'labels.txt',
      'cat\nd\u0007og\n',
      'line 2 of labels.txt has a control character (U+0007)',
    ],
    [
      'an override of direction',
      'a.json',
      '["\\u202etac"]',
      'label 1 of a.json has a control character (U+202E)',
    ],
    ['a line break', 'a.json', '["cat\\ndog"]', 'label 1 of a.json has a control character (U+000A)'],
    ['half of a character', 'a.json', '["\\ud83d"]', 'label 1 of a.json has a control character (U+D83D)'],
    ['a number', 'a.json', '["cat", 7]', 'entry 2 of a.json is not text'],
    ['a gap', 'a.json', '{"0": "cat", "2": "dog"}', 'a.json has no label for the class 1'],
    ['a gap in lines', 'a.txt', '1: cat\n2: dog\n', 'a.txt has no label for the class 0'],
    ['an index twice', 'a.json', '{"0": "cat", "0": "dog"}', 'a.json has two labels for the class 0'],
    [
      'an index twice in two forms',
      'a.json',
      '{"0": "cat", "00": "dog"}',
      'a.json has two labels for the class 0',
    ],
    [
      'a key that is none',
      'a.json',
      '{"0": "cat", "one": "dog"}',
      '"one" in a.json is not the index of a class',
    ],
    ['a fraction', 'a.json', '{"cat": 0, "dog": 1.5}', '"1.5" in a.json is not the index of a class'],
    ['a negative index', 'a.json', '{"cat": 0, "dog": -1}', '"-1" in a.json is not the index of a class'],
    ['a label of another kind', 'a.json', '{"0": "cat", "1": null}', 'what a.json has for 1 is not text'],
    ['half a file', 'a.json', '["cat", "do', 'a.json is neither a list nor a map of labels'],
    ['a text', 'a.json', '"cat"', 'a.json is neither a list nor a map of labels'],
    ['a text without end', 'a.txt', 'x'.repeat(1001), 'line 1 of a.txt has 1001 characters'],
  ])('with %s are refused', (_, name, text, message) => {
    try {
      parseLabels(text, name);
    } catch (error) {
      expect(error).toBeInstanceOf(VisionscaleError);
      expect(error).toMatchObject({ code: 'model_invalid', message, hint: expect.any(String) as string });
      return;
    }
    expect.unreachable('was taken');
  });

  it('that come twice are named', () => {
    expect(repeatedLabels(['crane', 'b', 'crane', 'c', 'crane', 'b'])).toEqual(['crane', 'b']);
    expect(repeatedLabels(['\u00c4', 'A\u0308'])).toEqual(['A\u0308']);
  });

  it('are found beside the weights, a config.json only where it has some', async () => {
    await using model = await writeTinyModel('mean', { 'config.json': '{"id2label": {"0": "huggy"}}' });
    const find = () => findLabels([model.path]);
    expect(await find()).toEqual(['red', 'green', 'blue']);
    await rm(join(model.path, 'labels.txt'));
    expect(await find()).toEqual(['huggy']);
    await writeFile(join(model.path, 'labels.json'), '["listed"]');
    expect(await find()).toEqual(['listed']);
    await rm(join(model.path, 'labels.json'));
    await writeFile(join(model.path, 'config.json'), '{"name": "something else"}');
    expect(await rejection(find())).toMatchObject({ code: 'labels_missing' });
  });
});

describe('a literal', () => {
  it('is read as JSON reads it', () => {
    const plain = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(plain);
      if (!(value instanceof LiteralMap)) return value;
      return Object.fromEntries(value.entries.map(([key, inner]) => [key, plain(inner)]));
    };
    const depth = { depthSize: 'small', maxDepth: 5 } as const;
    fc.assert(
      fc.property(fc.json(depth), (text) => {
        expect(JSON.stringify(plain(readLiteral(text)))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('of anything else is none, and nothing hangs or throws', () => {
    for (const text of [
      '',
      '{',
      '[1',
      '[1 2]',
      '{1}',
      '{[]: 1}',
      '[eval()]',
      '['.repeat(1000),
      '{"a": 1} 2',
    ]) {
      expect(readLiteral(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => void readLiteral(text)));
  });
});
