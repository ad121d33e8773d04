/** Colour by meaning. Text carries marks, which become escape codes only where a terminal shows them. */
import { styleText } from 'node:util';

export type Style = 'ok' | 'warning' | 'error' | 'title';

// Code points that Unicode keeps for a program's own use: `printable` takes them out of text from outside.
const marks: Record<Style, string> = { ok: '\ufdd0', warning: '\ufdd1', error: '\ufdd2', title: '\ufdd3' };
const end = '\ufdd4';
const formats = { ok: 'green', warning: 'yellow', error: 'red', title: 'bold' } as const;

const anyMark = /[\ufdd0-\ufdef]/g;
const markedText = /([\ufdd0-\ufdd3])([^\n\ufdd0-\ufdef]*)\ufdd4/g;

/** Marks each line of a text. */
export function styled(style: Style, text: string): string {
  return unmarked(text).replaceAll(/.+/g, (line) => `${marks[style]}${line}${end}`);
}

export function unmarked(text: string): string {
  return text.replaceAll(anyMark, '');
}

/** What is written to a stream: with escape codes, or without any trace of the marks. */
export function shownOn(stream: NodeJS.WriteStream, text: string): string {
  if (!hasColour(stream)) return unmarked(text);
  const byMark = new Map(Object.entries(marks).map(([style, mark]) => [mark, formats[style as Style]]));
  return unmarked(
    text.replaceAll(markedText, (_, mark: string, inner: string) =>
      styleText(byMark.get(mark)!, inner, { validateStream: false }),
    ),
  );
}

/** As commander does for help; Node itself lets FORCE_COLOR win over NO_COLOR, and warns of it. */
function hasColour(stream: NodeJS.WriteStream): boolean {
  // eslint-disable-next-line no-restricted-properties -- no settings of ours: they speak to every program of a terminal
  const { NO_COLOR: no, FORCE_COLOR: force } = process.env;
  if (no) return false;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return stream.isTTY === true && stream.hasColors();
}
