/** Text from outside made harmless for a terminal: shown, not obeyed. Everything that is printed goes through here. */
import { stripVTControlCharacters } from 'node:util';

/** Marks of our own text (report/style.ts), which nobody else may make. */
const ours = /[\ufdd0-\ufdef]/g;

/**
 * What steers a terminal or rearranges what stands on it: control characters (C0, C1), bidirectional marks, overrides and
 * isolates, line and paragraph separators, and characters that cannot be seen. Joiners stay: names of many scripts need them.
 */
const hidden = /[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2028\u2029\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** One line: escape sequences go, the rest of what is hidden becomes a mark. */
export function printable(value: string | number): string {
  return stripVTControlCharacters(String(value)).replaceAll(hidden, '·').replaceAll(ours, '·');
}

/** Several lines, laid out by us, that hold text from outside: their breaks and tabs stay. */
export function printableLines(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll('\r\n', '\n')
    .replaceAll(hidden, (char) => (char === '\n' || char === '\t' ? char : '·'));
}

/** A JSON text (or one of double-quoted YAML) that means the same, with what is hidden escaped. */
export function printableJson(json: string): string {
  return json.replaceAll(hidden, (char) =>
    char === '\n' || char === '\t' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// Bytes of a message for people and JSON: as text where they are text, else as base64.

export type Content = { bytes: number; text: string } | { bytes: number; base64: string } | null;

export function readable(content: Buffer | null): Content {
  if (content === null) return null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    return { bytes: content.length, text };
  } catch {
    return { bytes: content.length, base64: content.toString('base64') };
  }
}

/** One word to a shell, whatever is in it. */
export function quoted(text: string): string {
  return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
