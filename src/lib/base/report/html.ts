/** HTML in which everything that is put in is text, unless it was made here. */

/** A piece of HTML made by `html`. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlContent = string | number | Html | readonly HtmlContent[] | undefined | false;

/** Strings and numbers are escaped, for text and for quoted attributes alike; lists are joined; nothing comes of false. */
export function html(parts: TemplateStringsArray, ...values: HtmlContent[]): Html {
  return new Html(parts.reduce((text, part, i) => text + render(values[i - 1]) + part));
}

function render(value: HtmlContent): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return value.map(render).join('');
}

/** Control characters and halves of surrogate pairs, which HTML forbids, become visible marks. */
export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : '·'))
    .replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
