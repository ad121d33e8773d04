/** The curves of a training: loss and accuracy of both sets, epoch by epoch. */
import { percent } from '../../../base/report/percent.ts';
import type { HistoryPoint } from '../report.ts';
import { html, type Html } from './html.ts';

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
    title: 'Right answers',
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
