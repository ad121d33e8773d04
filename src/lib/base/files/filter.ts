/** Which of the files below a directory are meant: include and exclude globs, and the litter that systems leave. */
import picomatch from 'picomatch';
import { UsageError } from '../errors.ts';

export interface PathFilter {
  /** Whether the file at this path, relative to the given directory, is meant. */
  wants(relative: string): boolean;
  /** Whether a directory may hold such files. */
  enters(relative: string): boolean;
}

/**
 * Globs without a slash match names anywhere (`*.jpg`), those with one the whole relative path (`2026/**`); `drafts/`
 * is all that lies below. Leading dots are nothing special. An exclude that matches a directory leaves it out whole.
 */
export function pathFilter(include: readonly string[] = [], exclude: readonly string[] = []): PathFilter {
  const included = include.length === 0 ? () => true : matcher(include);
  const excluded = exclude.length === 0 ? () => false : matcher(exclude);
  return {
    wants: (relative) => included(relative) && !excluded(relative),
    enters: (relative) => !excluded(relative),
  };
}

function matcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.includes('')) throw new UsageError('an include or exclude glob is empty');
  const matchers = globs.map((glob) =>
    picomatch(glob.endsWith('/') ? `${glob}**` : glob, { dot: true, basename: !glob.includes('/') }),
  );
  return (path) => matchers.some((matches) => matches(path));
}

const litterFiles = new Set(['.DS_Store', 'Thumbs.db', 'ehthumbs.db', 'desktop.ini', 'Desktop.ini']);
const litterDirectories = new Set(['__MACOSX', '.Spotlight-V100', '.Trashes', '.fseventsd', '@eaDir']);

/** What operating systems put beside images. `siblings` are the names in the same directory. */
export function isLitter(name: string, isDirectory: boolean, siblings: ReadonlySet<string>): boolean {
  if (isDirectory) return litterDirectories.has(name);
  // macOS keeps the attributes of `cat.jpg` in `._cat.jpg`; alone, such a file may be an image.
  return litterFiles.has(name) || (name.startsWith('._') && siblings.has(name.slice(2)));
}
