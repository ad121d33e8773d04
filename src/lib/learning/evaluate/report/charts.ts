/** The report's charts as SVG: the curves of a training, and the confusion matrix. */
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import type { Judgement } from '../judge.ts';
import { images } from './counts.ts';
import type { HistoryPoint } from './input.ts';

interface Curve {
  name: string;
  kind: 'train' | 'held';
  value: (point: HistoryPoint) => number;
}

interface Chart {
  title: string;
  curves: readonly Curve[];
  /** Of the vertical axis; undefined: as the values need. */
  most?: number;
  show: (value: number) => string;
}

const charts: readonly Chart[] = [
  {
    title: 'Loss',
    show: (value) => value.toFixed(2),
    curves: [
      { name: 'training', kind: 'train', value: (p) => p.trainLoss },
      { name: 'hold-out', kind: 'held', value: (p) => p.heldLoss },
    ],
  },
  {
    title: 'Correct answers',
    most: 1,
    show: (value) => percent(value, 0),
    curves: [
      { name: 'training', kind: 'train', value: (p) => p.trainTop1 },
      { name: 'hold-out', kind: 'held', value: (p) => p.heldTop1 },
    ],
  },
];

const [width, height, left, bottom, top, right] = [440, 260, 52, 34, 14, 14];

/** Nothing where there is no epoch. */
export function learningCurves(history: readonly HistoryPoint[]): Html | undefined {
  return history.length === 0
    ? undefined
    : html`<div class="charts">${charts.map((c) => draw(c, history))}</div>`;
}

function draw({ title, curves, most, show }: Chart, history: readonly HistoryPoint[]): Html {
  const epochs = history.map(({ epoch }) => epoch);
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  const values = curves.flatMap(({ value }) => history.map(value)).filter(Number.isFinite);
  const highest = most ?? niceCeiling(Math.max(...values, 0));
  const x = (epoch: number) =>
    left + (last === first ? 0.5 : (epoch - first) / (last - first)) * (width - left - right);
  const y = (value: number) => height - bottom - (value / highest) * (height - bottom - top);
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(share * highest).toFixed(1);
    return html`<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" /><text
        x="${left - 6}"
        y="${at}"
        text-anchor="end"
        dominant-baseline="central"
        >${show(share * highest)}</text
      >`;
  });
  const ticks = [...new Set([first, Math.round((first + last) / 2), last])].map(
    (epoch) =>
      html`<text x="${x(epoch).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${epoch}</text>`,
  );
  const drawn = curves.map(({ name, kind, value }) => {
    const points = history.filter((point) => Number.isFinite(value(point)));
    const path = points.map((p) => `${x(p.epoch).toFixed(1)},${y(value(p)).toFixed(1)}`).join(' ');
    const dots = points.length <= 60 ? points : [];
    return html`<polyline class="${kind}" points="${path}" />${dots.map(
        (p) =>
          html`<circle class="${kind}" cx="${x(p.epoch).toFixed(1)}" cy="${y(value(p)).toFixed(1)}" r="2.5"
            ><title>epoch ${p.epoch}, ${name}: ${show(value(p))}</title></circle
          >`,
      )}`;
  });
  return html`<figure>
    <figcaption>
      ${title}: ${curves.map(({ name, kind }) => html`<span class="key ${kind}">${name}</span> `)}
    </figcaption>
    <svg class="curve" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title} by epoch">
      ${lines}${ticks}
      <text x="${(left + width - right) / 2}" y="${height - 3}" text-anchor="middle">epoch</text>
      ${drawn}
    </svg>
  </figure>`;
}

/** 1, 2 or 5 times a power of ten, not below `value`. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value)!;
}

// The confusion matrix as a picture: a row a true class, a column an answer, the darker the more.

/** More classes than these are no longer readable: those with the most mistakes are shown. */
export const mostClasses = 100;

const heatMapWidth = 900;
const longestLabel = 22;

interface HeatMap {
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
  const cell = Math.max(8, Math.min(40, Math.floor((heatMapWidth - 180) / shown.length)));
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
      const title = `${labels[truth]} classified as ${labels[answer]}: ${images(count)}, ${percent(share)} of its own`;
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
