/** A page of pictures and what a model made of each: one file that can be mailed, safe to open whatever images and labels are called. */
import { isUnknown } from '../base/classification.ts';
import { replaceAskedFile } from '../base/files/disk.ts';
import { Html, html } from '../base/report/html.ts';
import { counted } from '../base/report/table.ts';

export interface Pictured {
  /** What `pictureOf` finds it by, and people know it by. */
  name: string;
  category: string;
  /** In percent. */
  confidence: number;
  /** How unlike every class; 1 or more: unknown. */
  novelty?: number | null;
  /** What it shows, where that is known. */
  truth?: string;
}

export interface PicturePage {
  title: string;
  /** Paragraphs below the title. */
  summary: readonly string[];
  pictures: readonly Pictured[];
}

/** Pixels; shown at less, so that it is sharp on any screen. */
export const pictureSide = 192;
/** Of all pictures together, as they are encoded, and how many at most: the page stays a file that can be mailed. */
const budget = 8 * 2 ** 20;
const mostPictures = 1000;
/** Pictures that are made at a time. */
const atOnce = 4;

/** `pictureOf`: a small JPEG; where it fails, the page has a gap. */
export async function writePicturePage(
  file: string,
  { title, summary, pictures }: PicturePage,
  pictureOf: (picture: Pictured) => Promise<Uint8Array>,
): Promise<void> {
  const sorted = inOrder(pictures);
  const figures: Html[] = [];
  let left = budget;
  for (let at = 0; at < Math.min(sorted.length, mostPictures) && left > 0; at += atOnce) {
    const some = sorted.slice(at, Math.min(at + atOnce, mostPictures));
    const made = await Promise.all(some.map((picture) => pictureOf(picture).catch(() => undefined)));
    for (const [n, bytes] of made.entries()) {
      const encoded = bytes === undefined ? '' : Buffer.from(bytes).toString('base64');
      left -= encoded.length;
      if (left > 0) figures.push(figure(some[n]!, encoded));
    }
  }
  const shown = sorted.slice(0, figures.length);
  const judged = pictures.some(({ truth }) => truth !== undefined);
  const wrong = shown.filter(isWrong).length;
  const unknown = shown.filter(({ novelty }) => isUnknown(novelty)).length;
  const sections = judged
    ? [
        section('Mistakes', figures.slice(0, wrong)),
        section('Correct, least certain first', figures.slice(wrong)),
      ]
    : [
        section('Unknown: unlike every class, the least like any first', figures.slice(0, unknown)),
        section('Least certain first', figures.slice(unknown)),
      ];
  const more = pictures.length - figures.length;
  const lines = more > 0 ? [...summary, `${counted(more, 'more image')} are not shown.`] : summary;
  await replaceAskedFile(file, page(title, lines, sections));
}

/** Mistakes first, the surest of them at the top; where nobody knows, what is unknown; then what the model was least sure of. */
function inOrder(pictures: readonly Pictured[]): Pictured[] {
  return pictures.toSorted((a, b) => {
    const [wrong, others] = [isWrong(a), isWrong(b)];
    if (wrong !== others) return wrong ? -1 : 1;
    if (wrong) return b.confidence - a.confidence;
    const [unlike, less] = [novel(a), novel(b)];
    return less - unlike || a.confidence - b.confidence;
  });
}

function isWrong({ category, truth }: Pictured): boolean {
  return truth !== undefined && category !== truth;
}

/** Of what nobody knows better, as far as it is unknown. */
function novel({ novelty, truth }: Pictured): number {
  return truth === undefined && isUnknown(novelty) ? novelty! : 0;
}

function figure(picture: Pictured, jpeg: string): Html {
  const { name, category, confidence, novelty, truth } = picture;
  const wrong = isWrong(picture);
  return html`<figure class="${wrong && 'wrong'}" title="${name}">
    ${
      jpeg === ''
        ? html`<div class="none"></div>`
        : html`<img alt="${truth ?? category}" src="data:image/jpeg;base64,${jpeg}" />`
    }
    <figcaption>
      <small>${confidence.toFixed(0)} %</small>${
        wrong
          ? html`<del><bdi>${category}</bdi></del
              ><bdi>${truth}</bdi>`
          : html`<bdi>${category}</bdi>`
      }
      ${isUnknown(novelty) && html`<mark>unknown</mark>`}
      ${truth === undefined && html`<span><bdi>${name}</bdi></span>`}
    </figcaption>
  </figure>`;
}

function section(heading: string, figures: readonly Html[]): Html | false {
  return (
    figures.length > 0 &&
    html`<h2>${heading}</h2>
      <div class="grid">${figures}</div>`
  );
}

// Nothing is loaded and nothing runs, whatever should slip into the page.
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const style = `
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1d242c; background: #f5f6f7; }
  h1 { margin-bottom: 0; overflow-wrap: anywhere } p { color: #55606b; margin: .3rem 0 }
  .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 12px }
  figure { margin: 0; background: #fff; border-radius: 8px; overflow: hidden; box-shadow: 0 1px 3px #0003 }
  figure.wrong { outline: 3px solid #d33 }
  img, .none { width: 100%; aspect-ratio: 1; display: block; object-fit: cover; background: #dde1e5 }
  figcaption { padding: 6px 8px; font-size: 13px; overflow-wrap: anywhere }
  small { color: #6a7580; float: right } del { color: #b22; display: block }
  mark { background: #fd8; border-radius: 3px; padding: 0 4px }
  span { display: block; color: #6a7580; font-size: 11px }
`;

function page(title: string, summary: readonly string[], sections: readonly (Html | false)[]): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <h1>${title}</h1>
        ${summary.map((line) => html`<p>${line}</p>`)} ${sections}
      </body>
    </html> `.text;
}
