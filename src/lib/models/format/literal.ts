/** Reads what JSON and Python write alike: lists and maps of text and numbers, with every key of a map, also one that comes twice. */

export type Literal = string | number | boolean | null | Literal[] | LiteralMap;

export class LiteralMap {
  readonly entries: [key: string | number, value: Literal][] = [];

  get(key: string): Literal | undefined {
    return this.entries.find(([name]) => name === key)?.[1];
  }
}

const maxDepth = 20;
const token =
  /\s*(?:([[\](){},:])|(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([A-Za-z]+))/y;
const words: Record<string, boolean | null | number> = {
  ...{ true: true, True: true, false: false, False: false, null: null, None: null },
  ...{ NaN: NaN, Infinity: Infinity },
};
const closing: Record<string, string> = { '[': ']', '(': ')', '{': '}' };

/** Undefined for anything else. */
export function readLiteral(text: string): Literal | undefined {
  try {
    return new Reader(text).whole();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Literal {
    const value = this.#value(this.#next(), 0);
    if (this.#text.slice(this.#at).trim() !== '') throw new SyntaxError('more than one value');
    return value;
  }

  #next(): RegExpExecArray {
    token.lastIndex = this.#at;
    const found = token.exec(this.#text);
    if (found === null) throw new SyntaxError('no literal');
    this.#at = token.lastIndex;
    return found;
  }

  #value([, mark, number, quoted, word]: RegExpExecArray, depth: number): Literal {
    if (depth > maxDepth) throw new SyntaxError('nested too deeply');
    if (number !== undefined) return Number(number);
    if (quoted !== undefined) return unquoted(quoted);
    if (word !== undefined && word in words) return words[word]!;
    if (mark === '[' || mark === '(') return this.#list(closing[mark]!, depth);
    if (mark === '{') return this.#map(depth);
    throw new SyntaxError('no literal');
  }

  #list(end: string, depth: number): Literal[] {
    const items: Literal[] = [];
    for (let next = this.#next(); next[1] !== end; next = this.#next()) {
      items.push(this.#value(next, depth + 1));
      if (this.#separator(end)) break;
    }
    return items;
  }

  #map(depth: number): LiteralMap {
    const map = new LiteralMap();
    for (let next = this.#next(); next[1] !== '}'; next = this.#next()) {
      const key = this.#value(next, depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') throw new SyntaxError('no key');
      if (this.#next()[1] !== ':') throw new SyntaxError('no colon');
      map.entries.push([key, this.#value(this.#next(), depth + 1)]);
      if (this.#separator('}')) break;
    }
    return map;
  }

  /** True at the end; a comma may come before it, as Python has it. */
  #separator(end: string): boolean {
    const mark = this.#next()[1];
    if (mark !== ',' && mark !== end) throw new SyntaxError('no comma');
    return mark === end;
  }
}

function unquoted(text: string): string {
  const inner = text.slice(1, -1);
  const short: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
  return inner.replaceAll(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, escape: string) =>
    escape.length > 1 ? String.fromCharCode(parseInt(escape.slice(1), 16)) : (short[escape] ?? escape),
  );
}
