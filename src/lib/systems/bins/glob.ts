/**
 * Patterns for the names of classes: `*`, `?`, `[…]` and `{…,…}`; everything else in them means itself. Written out into
 * sequences without choices, so that matching takes steps of pattern times name at most, whatever the two are.
 */

/** One character of a name, or `*`: any number of them. */
type Token = '*' | { fits: (char: string) => boolean } | { char: string };

/** What a pattern may come to with its choices written out; also in characters, over all patterns of a file. */
const mostSequences = 1000;
export const mostGlobSize = 100_000;

export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

/** Throws an Error where it cannot be meant, or comes to too much. */
export function globMatcher(glob: string): (name: string) => boolean {
  const sequences = sequencesOf(glob);
  const prefix = /^[^*?[{]*/.exec(glob)![0];
  return (name) => {
    if (!name.startsWith(prefix)) return false;
    const chars = [...name];
    return sequences.some((tokens) => matches(tokens, chars));
  };
}

/** Characters that it comes to with its choices written out. Throws as `globMatcher` does. */
export function globSize(glob: string): number {
  return sequencesOf(glob).reduce((sum, tokens) => sum + tokens.length, 0);
}

/** What follows the last `*` is looked for further and further on; what comes before it never has to be looked at again. */
function matches(tokens: readonly Token[], chars: readonly string[]): boolean {
  let [token, char] = [0, 0];
  let retry: { token: number; char: number } | undefined;
  while (char < chars.length) {
    const next = tokens[token];
    if (next === '*') {
      retry = { token: ++token, char };
    } else if (next !== undefined && fits(next, chars[char]!)) {
      token++;
      char++;
    } else if (retry !== undefined) {
      ({ token } = retry);
      char = ++retry.char;
    } else {
      return false;
    }
  }
  while (tokens[token] === '*') token++;
  return token === tokens.length;
}

function fits(token: Exclude<Token, '*'>, char: string): boolean {
  return 'char' in token ? token.char === char : token.fits(char);
}

const anyChar: Token = { fits: () => true };

function sequencesOf(glob: string): Token[][] {
  const chars = [...glob];
  return parse(chars, 0, chars.length);
}

function parse(chars: readonly string[], from: number, to: number): Token[][] {
  let sequences: Token[][] = [[]];
  for (let at = from; at < to;) {
    const choice = chars[at] === '{' ? choiceAt(chars, at, to) : undefined;
    if (choice !== undefined) {
      const choices = choice.parts.flatMap(([begin, end]) => parse(chars, begin, end));
      if (sequences.length * choices.length > mostSequences) {
        throw new Error(`its choices in {} come to more than ${mostSequences} patterns`);
      }
      sequences = sequences.flatMap((head) => choices.map((tail) => [...head, ...tail]));
      at = choice.end + 1;
      continue;
    }
    const set = chars[at] === '[' ? setAt(chars, at, to) : undefined;
    const token = set?.token ?? tokenOf(chars[at]!);
    for (const sequence of sequences) if (token !== '*' || sequence.at(-1) !== '*') sequence.push(token);
    at = (set?.end ?? at) + 1;
  }
  return sequences;
}

function tokenOf(char: string): Token {
  return char === '*' ? '*' : char === '?' ? anyChar : { char };
}

/** `{a,b}`; undefined where the brace means itself. */
function choiceAt(
  chars: readonly string[],
  at: number,
  to: number,
): { parts: [number, number][]; end: number } | undefined {
  const parts: [number, number][] = [];
  let [begin, depth] = [at + 1, 0];
  for (let i = at + 1; i < to; i++) {
    const char = chars[i];
    if (char === '[') i = setAt(chars, i, to)?.end ?? i;
    else if (char === '{') depth++;
    else if (char === '}' && depth > 0) depth--;
    else if (char === '}') {
      if (parts.length === 0) return refuseRange(chars.slice(at, i + 1).join(''));
      parts.push([begin, i]);
      return { parts, end: i };
    } else if (char === ',' && depth === 0) {
      parts.push([begin, i]);
      begin = i + 1;
    }
  }
  return undefined;
}

/** It would mean a range elsewhere, and used to here. */
function refuseRange(braces: string): undefined {
  if (/^\{[^{},]+\.\.[^{},]+\}$/.test(braces)) {
    throw new Error(`${braces} is not supported: write every choice, as in {1,2,3}, or a set, as in [1-3]`);
  }
  return undefined;
}

/** `[abc]`, `[a-c]`, `[!abc]`; undefined where the bracket means itself. */
function setAt(chars: readonly string[], at: number, to: number): { token: Token; end: number } | undefined {
  const isNot = chars[at + 1] === '!';
  const begin = at + (isNot ? 2 : 1);
  // A ] that comes first is one of the set.
  const end = chars.indexOf(']', begin + 1);
  if (end < 0 || end >= to) return undefined;
  const members = chars.slice(begin, end);
  if (/\[[:.=]/.test(members.join(''))) {
    throw new Error('named sets such as [[:alpha:]] are not supported: write a set, as in [a-z]');
  }
  const ranges: [string, string][] = [];
  for (let i = 0; i < members.length; i++) {
    const isRange = members[i + 1] === '-' && i + 2 < members.length;
    const [first, last] = [members[i]!, members[isRange ? i + 2 : i]!];
    if (first.codePointAt(0)! > last.codePointAt(0)!)
      throw new Error(`the set [${members.join('')}] has a range backwards`);
    ranges.push([first, last]);
    if (isRange) i += 2;
  }
  const has = (char: string) => ranges.some(([first, last]) => isBetween(char.codePointAt(0)!, first, last));
  return { token: { fits: (char) => has(char) !== isNot }, end };
}

function isBetween(code: number, first: string, last: string): boolean {
  return first.codePointAt(0)! <= code && code <= last.codePointAt(0)!;
}
