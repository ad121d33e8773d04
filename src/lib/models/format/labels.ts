/** The names of a model's classes in the order of its outputs: a line each, or as JSON, Python or Hugging Face write them. */
import { basename, dirname, join } from 'node:path';
import { VisionscaleError } from '../../base/errors.ts';
import { steering } from '../../base/files/class-folders.ts';
import { type Literal, type LiteralMap, readLiteral } from './literal.ts';
import { invalidModel, readModelText } from './model-files.ts';

const maxBytes = 16 * 2 ** 20;
const maxLength = 1000;

/** Looked for beside the weights, in this order. */
const usualNames = ['labels.txt', 'labels.json', 'id2label.json', 'config.json'] as const;

/** Throws `labels_missing`, `model_invalid`. */
export async function readLabels(file: string): Promise<string[]> {
  const text = await readModelText(file, maxBytes);
  if (text === undefined) throw missing(file);
  return parseLabels(text, basename(file));
}

/** Of the first file in these directories that has them. Throws `labels_missing`, `model_invalid`. */
export async function findLabels(directories: readonly [string, ...string[]]): Promise<string[]> {
  const places = [...new Set(directories)].flatMap((directory) =>
    usualNames.map((name) => ({ directory, name })),
  );
  for (const { directory, name } of places) {
    const text = await readModelText(join(directory, name), maxBytes);
    // A config.json may be about anything.
    if (text === undefined || (name === 'config.json' && !/"(id2label|label2id|label_names)"/.test(text))) continue;
    return parseLabels(text, name);
  }
  throw missing(join(directories[0], usualNames[0]));
}

/**
 * A list or a map of JSON or Python, or lines; empty lines at the end do not count. `name` is the file's, for what is said.
 * Throws `model_invalid`.
 */
export function parseLabels(text: string, name: string): string[] {
  const literal = /^\s*[[{]/.test(text) || name.endsWith('.json') ? readLiteral(text) : undefined;
  if (typeof literal === 'object' && literal !== null) return ofLiteral(literal, name);
  if (name.endsWith('.json')) {
    throw invalid(`${name} is neither a list nor a map of labels`, 'Is it complete, and is it JSON?');
  }
  const lines = text.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  const empty = lines.indexOf('');
  if (empty >= 0) throw emptyAt(`line ${empty + 1} of ${name}`);
  const numbered = lines.map((line) => /^\s*(\d+)\s*:\s+(\S.*)$/.exec(line));
  const labels = numbered.every((found) => found !== null)
    ? inOrder(
        numbered.map(([, index, label]) => [index!, label!.replace(/^(['"])(.*)\1$/, '$2')]),
        name,
      )
    : lines;
  return checkLabels(labels, name, 'line');
}

/** Labels that several classes have: what tells them apart is lost in every result. */
export function repeatedLabels(labels: readonly string[]): string[] {
  const seen = new Set<string>();
  return [...new Set(labels.filter((label) => seen.size === seen.add(label.normalize()).size))];
}

/** Throws `model_invalid` for what cannot be a label, naming the place. */
export function checkLabels(labels: readonly string[], name: string, what = 'label'): string[] {
  if (labels.length === 0) throw invalid(`${name} has no labels`, 'It must have one for each class.');
  for (const [i, label] of labels.entries()) {
    const place = `${what} ${i + 1} of ${name}`;
    if (label.trim() === '') throw emptyAt(place);
    const odd = (steering.exec(label) ?? /\p{Cs}/u.exec(label))?.[0];
    if (odd !== undefined) {
      const code = odd.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      throw invalid(`${place} has a control character (U+${code})`, 'Remove it: a label is plain text.');
    }
    if (label.length > maxLength) {
      throw invalid(`${place} has ${label.length} characters`, `The limit is ${maxLength}.`);
    }
  }
  return [...labels];
}

function ofLiteral(literal: Literal[] | LiteralMap, name: string): string[] {
  if (Array.isArray(literal)) {
    const labels = literal.map((item, i) => {
      if (typeof item === 'string') return item;
      throw invalid(`entry ${i + 1} of ${name} is not text`, 'A list of labels contains only text.');
    });
    return checkLabels(labels, name);
  }
  for (const key of ['id2label', 'label2id', 'labels', 'classes', 'class_names', 'label_names', 'names']) {
    const inner = literal.get(key);
    if (typeof inner === 'object' && inner !== null) return ofLiteral(inner, name);
  }
  const { entries } = literal;
  const isIndex = (key: string | number) => /^\d+$/.test(String(key));
  if (entries.some(([key]) => isIndex(key))) {
    const pairs = entries.map(([key, value]) => [String(key), labelOf(value, String(key), name)] as const);
    return checkLabels(inOrder(pairs, name), name);
  }
  const pairs = entries.map(
    ([key, value]) => [typeof value === 'object' ? 'a list' : String(value), String(key)] as const,
  );
  return checkLabels(inOrder(pairs, name), name);
}

/** Also the pair of a synset and its name, of which ImageNet's own index is made. */
function labelOf(value: Literal, key: string, name: string): string {
  const label = Array.isArray(value) ? value.at(-1) : value;
  if (typeof label === 'string') return label;
  throw invalid(`what ${name} has for ${key} is not text`, 'A map of labels has a text for each index.');
}

function inOrder(pairs: readonly (readonly [index: string, label: string])[], name: string): string[] {
  const labels = new Map<number, string>();
  for (const [text, label] of pairs) {
    const shown = JSON.stringify(text.slice(0, 100));
    if (!/^\d{1,9}$/.test(text)) {
      throw invalid(
        `${shown} in ${name} is not the index of a class`,
        'Indices are 0, 1, 2, … without gaps.',
      );
    }
    if (labels.has(Number(text))) {
      throw invalid(`${name} has two labels for the class ${Number(text)}`, 'Each index comes once.');
    }
    labels.set(Number(text), label);
  }
  return Array.from({ length: labels.size }, (_, i) => {
    const label = labels.get(i);
    if (label !== undefined) return label;
    throw invalid(`${name} has no label for the class ${i}`, 'Indices are 0, 1, 2, … without gaps.');
  });
}

function missing(file: string): VisionscaleError {
  return new VisionscaleError(`there is no ${basename(file)} in ${dirname(file)}`, {
    code: 'labels_missing',
    hint:
      'It must be a text file beside the weights: one label a line, in the order of the model’s outputs.\n' +
      `Also read: ${usualNames.slice(1).join(', ')} (a list, or a map of indices and labels).`,
  });
}

function emptyAt(place: string): VisionscaleError {
  return invalid(
    `${place} is empty`,
    'Remove it: it shifts every later label to the wrong class. A class without a name needs one.',
  );
}

function invalid(message: string, hint: string): VisionscaleError {
  return invalidModel(message, { hint });
}
