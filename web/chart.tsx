/** Lines over time. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { number } from './format.ts';

export interface Line {
  name: string;
  /** A custom property of the style sheet. */
  color: string;
  values: (number | null)[];
}

const height = 200;

export function Chart({ title, times, lines }: { title: string; times: number[]; lines: Line[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const names = lines.map(({ name }) => name).join();
  useEffect(() => {
    const element = place.current!;
    const color = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        {
          width: element.clientWidth,
          height,
          legend: { live: false },
          cursor: { y: false },
          scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
          axes: [
            {
              stroke: color('--quiet'),
              grid: { stroke: color('--line') },
              ticks: { stroke: color('--line') },
            },
            {
              stroke: color('--quiet'),
              grid: { stroke: color('--line') },
              ticks: { stroke: color('--line') },
              values: (_, all) => all.map(number),
            },
          ],
          series: [
            {},
            ...lines.map(({ name, color: own }) => ({
              label: name,
              stroke: color(own),
              width: 2,
            })),
          ],
        },
        [times, ...lines.map(({ values }) => values)],
        element,
      );
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
  useEffect(() => plot.current?.setData([times, ...lines.map(({ values }) => values)]), [times, lines]);
  return (
    <figure class="chart" aria-label={title}>
      <figcaption>{title}</figcaption>
      <div ref={place} />
    </figure>
  );
}
