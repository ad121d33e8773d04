/** What file names tell of which images belong together: a pattern that the user gives. */
import { UsageError } from '../../base/errors.ts';

/** The group of an image by its path below the class folder; undefined where the pattern does not fit. */
export type GroupOf = (below: string) => string | undefined;

/**
 * `{object}_*.jpg`: what stands in braces makes the group, `*` and `?` are anything else, `**` also folders. Each takes in
 * as little as it can. Without a slash the pattern is held against the file's name alone. Throws a UsageError.
 */
export function groupPattern(pattern: string): GroupOf {
  const parts = pattern.match(/\{\w+\}|\*\*\/|\*\*|\*|\?|[^{}*?]+|[{}]/g) ?? [];
  if (!parts.some((part) => part.startsWith('{') && part.length > 1) || parts.some((p) => /^[{}]$/.test(p))) {
    throw new UsageError(
      `--group-by "${pattern}" does not say what makes a group`,
      "Put braces where the names of one object or occasion agree: --group-by '{object}_*.jpg', or '{object}/*'",
    );
  }
  const expression = new RegExp(`^${parts.map(source).join('')}$`, 'su');
  const whole = pattern.includes('/');
  return (below) => {
    const found = expression.exec(whole ? below : below.slice(below.lastIndexOf('/') + 1));
    return found === null ? undefined : JSON.stringify(found.slice(1));
  };
}

/** Throws a UsageError where the pattern is of none of the images. */
export function refuseUnfit(images: readonly { below?: string }[], pattern: GroupOf): void {
  const names = images.flatMap(({ below }) => (below === undefined ? [] : [below]));
  if (names.some((below) => pattern(below) !== undefined)) return;
  throw new UsageError(
    '--group-by matches none of the images',
    names.length === 0
      ? undefined
      : `Below its class folder the first is called ${JSON.stringify(names[0])}.`,
  );
}

function source(part: string): string {
  if (part.startsWith('{')) return '([^/]+?)';
  if (part === '**/') return '(?:.*/)?';
  if (part === '**') return '.*';
  if (part === '*') return '[^/]*?';
  if (part === '?') return '[^/]';
  return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

/** `IMG_0012.jpg` is 12 of the names that read `IMG_#.jpg`; undefined without a number. */
export function numbered(below: string): { series: string; number: number } | undefined {
  const found = /^(.*?)(\d{1,12})(\D*)$/s.exec(below.replace(/\.\w{1,5}$/, ''));
  return found === null ? undefined : { series: `${found[1]}#${found[3]}`, number: Number(found[2]) };
}
