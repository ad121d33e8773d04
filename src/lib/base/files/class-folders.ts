/** The folders of labelled images in a directory, the class that each stands for, and the folder name of a label. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { foreignKind } from './image-names.ts';

/**
 * Names in byte order of what may stand for classes: directories, and symbolic links to them or to nothing. Throws a
 * UsageError where `dir` is no directory.
 */
export async function classFolders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${dir} cannot be read as a directory: ${cause.message}`);
  });
  const folders: string[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (name.startsWith('.') || foreignKind(name, true) !== undefined) continue;
    if (entry.isDirectory() || (entry.isSymbolicLink() && (await mayBeFolder(join(dir, name)))))
      folders.push(name);
  }
  return inByteOrder(folders);
}

/** A link to nothing may have been to a folder: that it has no images is then said by its name. */
async function mayBeFolder(link: string): Promise<boolean> {
  return (await stat(link).catch(() => undefined))?.isDirectory() !== false;
}

/** The class that a folder stands for, in one form (NFC) whatever wrote its name: macOS takes letters and accents apart. */
export function className(folder: string): string {
  return folderLabel(folder).normalize();
}

/** In characters. */
const longest = 500;

/** What no label has: control characters, line and paragraph separators, and what turns the direction of text around. */
export const steering = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** Why this cannot be a class, or a label; undefined where it can. Labels are lines of a text file, and of tables. */
export function labelFault(label: string): string | undefined {
  if (label.trim() === '') return 'it is empty';
  if (steering.test(label)) return 'it has a line break or another control character';
  if (/\p{Cs}/u.test(label)) return 'it is not valid Unicode';
  if (label.trim() !== label) return `it ${label.trimEnd() === label ? 'begins' : 'ends'} with a space`;
  if (label.length > longest) return `it has more than ${longest} characters`;
  return undefined;
}

/** Of names; the order does not depend on the machine's language. */
export function inByteOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

// A label as the name of a folder, and back: no label leaves the directory, and no system refuses the name.

/** In bytes of UTF-8; names may have 255 on every common file system. */
const mostBytes = 200;

/** Separators, what Windows refuses, the escape itself; dots and spaces where they hide a folder or are cut off. */
const refused = /[%\\/:*?"<>|\p{Cc}]|^[. ]|[. ]$/gu;
const device = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i;

/** Ordinary labels stand as they are; what cannot becomes `%XX`, and a very long label is cut and told apart by a digest. */
export function folderName(label: string): string {
  const text = label.toWellFormed();
  let name = text.replace(refused, escaped).replace(device, (word) => escaped(word[0]!) + word.slice(1));
  if (name === '') name = '%';
  if (Buffer.byteLength(name) <= mostBytes) return name;
  const digest = createHash('sha256').update(label).digest('hex').slice(0, 12);
  let cut = '';
  for (const char of name) {
    if (Buffer.byteLength(cut + char) > mostBytes - digest.length - 1) break;
    cut += char;
  }
  return `${cut.replace(/%[0-9A-F]?$/, '')}~${digest}`;
}

/** The label a folder stands for: one of `labels` where its name is made from it, else the name read back. */
export function folderLabel(folder: string, labels: Iterable<string> = []): string {
  const name = folder.normalize();
  for (const label of labels) {
    if (label.normalize() === name || folderName(label).normalize() === name) return label;
  }
  if (folder === '%') return '';
  try {
    const label = folder.replace(/(?:%[0-9A-F]{2})+/g, (bytes) => decodeURIComponent(bytes));
    // What no label is written as is a name of its own: `5%20off`.
    return folderName(label) === folder ? label : folder;
  } catch {
    return folder;
  }
}

function escaped(char: string): string {
  return [...Buffer.from(char)]
    .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
    .join('');
}
