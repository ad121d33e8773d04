/** The folders of labelled images in a directory, and the class that each stands for. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { isLitter } from './filter.ts';
import { folderLabel } from './folder-name.ts';

/**
 * Names in byte order of what may stand for classes: directories, and symbolic links to them or to nothing. Throws a
 * UsageError where `dir` is no directory.
 */
export async function classFolders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${dir} cannot be read as a directory: ${cause.message}`);
  });
  const names = new Set(entries.map(({ name }) => name));
  const folders: string[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (name.startsWith('.') || isLitter(name, entry.isDirectory(), names)) continue;
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

/** Why this cannot be a class, or a label; undefined where it can. Labels are lines of a text file, and of tables. */
export function labelFault(label: string): string | undefined {
  if (label.trim() === '') return 'it is empty';
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(label)) return 'it has a line break or another control character';
  if (/\p{Cs}/u.test(label)) return 'it is not valid Unicode';
  if (label.trim() !== label) return `it ${label.trimEnd() === label ? 'begins' : 'ends'} with a space`;
  if (label.length > longest) return `it has more than ${longest} characters`;
  return undefined;
}

/** Of names; the order does not depend on the machine's language. */
export function inByteOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
