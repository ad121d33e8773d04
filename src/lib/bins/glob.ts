/** Patterns for the names of classes: `*`, `?`, `[…]` and `{…,…}`; everything else in them means itself. */
import picomatch from 'picomatch';

export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

/** Of a glob. The names are no paths: `*` takes any characters, and nothing leading is special. */
export function globMatcher(glob: string): (name: string) => boolean {
  const matches = picomatch(asWord(glob), { nonegate: true, noextglob: true, posix: true });
  return (name) => matches(asWord(name));
}

/** What means something in paths and regular expressions becomes a letter, the same one in globs and in names. */
function asWord(text: string): string {
  return text.replaceAll(/[()|+@^$\\/.~"'`]/g, (sign) => String.fromCharCode(0xe000 + sign.charCodeAt(0)));
}
