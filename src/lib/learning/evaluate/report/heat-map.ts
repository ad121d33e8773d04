/** The confusion matrix as a picture: a row a true class, a column an answer, the darker the more. */
import { percent } from '../../../base/report/percent.ts';
import type { Judgement } from '../judge.ts';
import { images } from './counts.ts';
import { html, type Html } from './html.ts';

/** More classes than these are no longer readable: those with the most mistakes are shown. */
export const mostClasses = 100;

const width = 900;
const longestLabel = 22;

export interface HeatMap {
  svg: Html;
  /** Classes that are left out. */
  left: number;
}

export function heatMap({ labels, metrics }: Judgement): HeatMap {
  const { confusion } = metrics;
  const all = labels.map((_, index) => index).filter((index) => involved(confusion, index) > 0);
  const shown =
    all.length <= mostClasses
      ? all
      : all
          .sort((a, b) => mistakes(confusion, b) - mistakes(confusion, a) || a - b)
          .slice(0, mostClasses)
          .sort((a, b) => a - b);
  const cell = Math.max(8, Math.min(40, Math.floor((width - 180) / shown.length)));
  const font = Math.min(13, Math.max(7, cell * 0.8));
  const margin = Math.ceil(Math.max(...shown.map((i) => short(labels[i]!).length), 4) * font * 0.6) + 12;
  const side = shown.length * cell;
  const rowNames = shown.map(
    (index, row) =>
      html`<text
        x="${margin - 6}"
        y="${margin + (row + 0.5) * cell}"
        text-anchor="end"
        dominant-baseline="central"
        >${short(labels[index]!)}</text
      >`,
  );
  const columnNames = shown.map((index, column) => {
    const x = margin + (column + 0.5) * cell;
    return html`<text transform="translate(${x} ${margin - 6}) rotate(-90)" dominant-baseline="central"
      >${short(labels[index]!)}</text
    >`;
  });
  const cells = shown.flatMap((truth, row) =>
    shown.map((answer, column) => {
      const count = confusion[truth]![answer]!;
      if (count === 0) return undefined;
      const share = count / metrics.perClass[truth]!.count;
      const [x, y] = [margin + column * cell, margin + row * cell];
      const title = `${labels[truth]} answered as ${labels[answer]}: ${images(count)}, ${percent(share)} of its own`;
      const kind = truth === answer ? 'hit' : 'miss';
      const strength = (0.15 + 0.85 * Math.sqrt(share)).toFixed(2);
      const number =
        cell >= 20 &&
        html`<text
          class="${strength > '0.62' ? 'on' : 'off'}"
          x="${x + cell / 2}"
          y="${y + cell / 2}"
          text-anchor="middle"
          dominant-baseline="central"
          >${count}</text
        >`;
      return html`<g
        ><title>${title}</title
        ><rect
          class="${kind}"
          x="${x}"
          y="${y}"
          width="${cell - 1}"
          height="${cell - 1}"
          fill-opacity="${strength}"
        />${number}</g
      >`;
    }),
  );
  const size = margin + side;
  const svg = html`<svg
    class="heat"
    viewBox="0 0 ${size + 2} ${size + 2}"
    width="${size + 2}"
    height="${size + 2}"
    font-size="${font.toFixed(1)}"
    role="img"
    aria-label="Confusion matrix of ${shown.length} classes"
  >
    <rect class="plot" x="${margin}" y="${margin}" width="${side}" height="${side}" />
    ${rowNames}${columnNames}${cells}
  </svg>`;
  return { svg, left: all.length - shown.length };
}

function involved(confusion: readonly number[][], index: number): number {
  const answered = confusion.reduce((sum, row) => sum + row[index]!, 0);
  return answered + confusion[index]!.reduce((sum, count) => sum + count, 0);
}

function mistakes(confusion: readonly number[][], index: number): number {
  return involved(confusion, index) - 2 * confusion[index]![index]!;
}

function short(label: string): string {
  const characters = [...label];
  return characters.length <= longestLabel ? label : `${characters.slice(0, longestLabel - 1).join('')}…`;
}
