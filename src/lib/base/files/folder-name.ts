/** A label as the name of a folder, and back: no label leaves the directory, and no system refuses the name. */
import { createHash } from 'node:crypto';

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
