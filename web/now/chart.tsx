/** Lines over time: dragging across one zooms, a double click goes back. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock } from '../shared/format.ts';
import { texts } from '../texts.ts';

export interface Line {
  name: string;
  /** A custom property of the style sheet. */
  color: string;
  values: (number | null)[];
  /** Not measured: a limit. */
  dashed?: boolean;
}

/** Seconds since the epoch. */
export interface Range {
  min: number;
  max: number;
}

interface ChartProps {
  title: string;
  times: number[];
  lines: Line[];
  /** There is nothing between one and two. */
  whole?: boolean;
  /** As a person reads a value. */
  value: (value: number) => string;
  /** Null: everything. */
  zoom: Range | null;
  onZoom: (zoom: Range | null) => void;
}

const height = 200;
/** Below this many pixels it was a click. */
const leastDrag = 8;

export function Chart(props: ChartProps) {
  const { title, times, lines, value, zoom } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const names = lines.map(({ name }) => name).join();
  useEffect(() => {
    const element = place.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(element, () => latest.current),
        dataOf(latest.current),
        element,
      );
      show(plot.current, latest.current);
    };
    make();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', make);
    return () => {
      sized.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names]);
  useEffect(() => {
    if (plot.current !== undefined) show(plot.current, latest.current);
  }, [times, lines, zoom]);
  return (
    <figure class="chart" aria-label={title}>
      <figcaption>
        {title}
        <span class="unseen">{spoken(lines, value)}</span>
      </figcaption>
      <div ref={place} />
    </figure>
  );
}

function dataOf({ times, lines }: ChartProps): uPlot.AlignedData {
  return [times, ...lines.map(({ values }) => values)];
}

/** New values leave the zoom as it is. */
function show(plot: uPlot, props: ChartProps): void {
  const { times, zoom } = props;
  // Not under a hand that is choosing a part of it.
  if (plot.select.width > 0) return;
  plot.setData(dataOf(props), false);
  if (times.length > 0) plot.setScale('x', zoom ?? { min: times[0]!, max: times.at(-1)! });
}

/** What a chart shows at a glance, for those who do not see it. */
function spoken(lines: readonly Line[], value: (value: number) => string): string {
  return lines
    .flatMap(({ name, values }) => {
      const known = values.filter((one) => one !== null);
      if (known.length === 0) return [];
      const most = known.reduce((a, b) => Math.max(a, b));
      return [texts.now.spoken(name, value(known.at(-1)!), value(most))];
    })
    .join(' ');
}

const wholeSteps = Array.from({ length: 12 }, (_, n) => [1, 2, 5].map((step) => step * 10 ** n)).flat();

function optionsOf(element: HTMLElement, current: () => ChartProps): uPlot.Options {
  const color = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
  const quiet = {
    stroke: color('--quiet'),
    grid: { stroke: color('--line') },
    ticks: { stroke: color('--line') },
  };
  const { lines, whole } = current();
  const shown = (_: uPlot, value: number | null) => (value === null ? '' : current().value(value));
  return {
    width: element.clientWidth,
    height,
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      bind: {
        dblclick: () => () => {
          current().onZoom(null);
          return null;
        },
      },
    },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          // What stays selected keeps new values away.
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (width < leastDrag) return;
          current().onZoom({ min: plot.posToVal(left, 'x'), max: plot.posToVal(left + width, 'x') });
        },
      ],
    },
    scales: { y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.1, 1)] } },
    axes: [
      { ...quiet, values: (_, all) => all.map((at) => clock(at, all[1]! - all[0]! < 60)) },
      {
        ...quiet,
        size: 60,
        values: (_, all) => all.map(current().value),
        ...(whole === true && { incrs: wholeSteps }),
      },
    ],
    series: [
      { value: (_, at) => (at === null ? '' : clock(at, true)), label: texts.now.time },
      ...lines.map(({ name, color: own, dashed }) => ({
        label: name,
        stroke: color(own),
        width: dashed === true ? 1.5 : 2,
        ...(dashed === true && { dash: [6, 4] }),
        points: { show: false },
        value: shown,
      })),
    ],
  };
}
