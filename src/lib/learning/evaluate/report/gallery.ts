/** Pictures in the report: the worst mistakes, images on both sides of the split, and their thumbnails. */
import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readImageFile } from '../../../base/files/read-file.ts';
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import { defaultLimits } from '../../../models/images/limits.ts';
import { thumbnail } from '../../../models/images/small.ts';
import { worstMistakes, type JudgedImage, type Judgement } from '../judge.ts';
import type { ReportInput } from './input.ts';

const mostMistakes = 36;
const mostDuplicates = 12;

export async function mistakeGallery(
  judgement: Judgement,
  thumbnails: Thumbnails,
): Promise<Html | undefined> {
  const mistakes = worstMistakes(judgement);
  if (mistakes.length === 0) return undefined;
  const shown: Html[] = [];
  for (const mistake of mistakes.slice(0, mostMistakes)) {
    shown.push(await picture(mistake.path, answerLines(judgement, mistake), thumbnails));
  }
  return html`<h2>Worst mistakes</h2>
    <p class="soft">
      Most confident first${mistakes.length > shown.length && `, ${shown.length} of ${mistakes.length}`}. A
      very confident mistake is often a wrong label.
    </p>
    <div class="gallery">${shown}</div>`;
}

export function answerLines({ labels }: Judgement, { truth, top }: JudgedImage): Html {
  const answer = top[0];
  const isRight = answer?.label === truth;
  return html`<b class="${isRight ? 'right' : 'wrong'}"
      >${answer === undefined ? 'no answer' : labels[answer.label]}</b
    >
    ${percent(answer?.score ?? null, 0)}${!isRight && html`<br />is ${labels[truth]}`}`;
}

export async function picture(path: string, caption: Html, thumbnails: Thumbnails): Promise<Html> {
  return html`<figure title="${path}">
    ${(await thumbnails.of(path)) ?? noPicture}${caption}<br /><span class="soft">${shortPath(path)}</span>
  </figure>`;
}

const noPicture = html`<div class="none"></div>`;

/** The folder and the name: the rest is the same for all. */
function shortPath(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}

export async function duplicateSection(
  { duplicates, holdOut }: ReportInput,
  thumbnails: Thumbnails,
): Promise<Html | undefined> {
  if (duplicates === undefined) return undefined;
  if (duplicates.length === 0) {
    return html`<h2>Duplicates of training images</h2>
      <p>No test image has a (near-)duplicate in the training set.</p>`;
  }
  // Two labels for one image: one of them is wrong, and nobody would find it otherwise.
  const sorted = [...duplicates].sort((a, b) => Number(a.sameLabel) - Number(b.sameLabel));
  const shown: Html[] = [];
  for (const { train, held, sameLabel } of sorted.slice(0, mostDuplicates)) {
    const caption = html`${!sameLabel && html`<b class="wrong">two labels</b><br />`}<span class="soft"
        >${shortPath(train)}<br />${shortPath(held)}</span
      >`;
    shown.push(
      html`<figure title="${train} and ${held}">
        <div class="pair">
          ${(await thumbnails.of(train)) ?? noPicture}${(await thumbnails.of(held)) ?? noPicture}
        </div>
        ${caption}
      </figure>`,
    );
  }
  const count = new Set(duplicates.map(({ held }) => held)).size;
  return html`<h2>Duplicates of training images</h2>
    <p>
      ${count} of the test images ${count === 1 ? 'has' : 'have'} a (near-)duplicate in the training set:
      ${
        holdOut?.duplicatesLeftOut
          ? 'left out, because duplicates make the accuracy look better than it is.'
          : 'they make the accuracy look better than it is.'
      }
      Keep pictures of one series in one set.
    </p>
    <div class="gallery">${shown}</div>`;
}

/** Pixels: shown at half of it, so that it is sharp on any screen. */
const side = 192;
/** Of all thumbnails of a report together, as they are encoded. */
const budget = 2 * 2 ** 20;

/** Thumbnails as data URIs, within a budget: the report stays a file that can be mailed. */
export class Thumbnails {
  #left = budget;
  readonly #made = new Map<string, Html | undefined>();

  /** Undefined where the image is gone or cannot be read by now, or where the budget is spent. */
  async of(path: string): Promise<Html | undefined> {
    if (!this.#made.has(path)) this.#made.set(path, await this.#make(path));
    return this.#made.get(path);
  }

  async #make(path: string): Promise<Html | undefined> {
    if (this.#left <= 0) return undefined;
    try {
      const bytes = await thumbnail(await readImageFile(await realpath(path), defaultLimits.maxBytes), side);
      const encoded = bytes.toString('base64');
      if (encoded.length > this.#left) return undefined;
      this.#left -= encoded.length;
      return html`<img alt="" src="data:image/jpeg;base64,${encoded}" />`;
    } catch {
      // It was judged a moment ago; a report without one picture is still a report.
      return undefined;
    }
  }
}
