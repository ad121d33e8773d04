/** Images, latency and waiting messages of the last quarter of an hour, or of the last day. */
import { useMemo, useState } from 'preact/hooks';
import type { Activity } from './answers.ts';
import { Chart, type Line, type Range } from './chart.tsx';
import { milliseconds, number, rate } from './format.ts';
import { type Polled, usePoll } from './hooks.ts';
import { Answer, Notice } from './parts.tsx';
import { texts } from './texts.ts';

const { now: t } = texts;

export function Charts({ recent }: { recent: Polled<Activity> }) {
  const [isDay, setDay] = useState(false);
  const [zoom, setZoom] = useState<Range | null>(null);
  const day = usePoll<Activity>(isDay ? '/v1/activity?window=24h' : null, 60_000);
  const show = (whole: boolean) => {
    setDay(whole);
    setZoom(null);
  };
  return (
    <section aria-label={t.charts}>
      <div class="row switch" role="group" aria-label={t.window}>
        <button type="button" aria-pressed={!isDay} onClick={() => show(false)}>
          {t.quarter}
        </button>
        <button type="button" aria-pressed={isDay} onClick={() => show(true)}>
          {t.day}
        </button>
        {zoom === null ? (
          <span class="note drag">{t.drag}</span>
        ) : (
          <button type="button" onClick={() => setZoom(null)}>
            {t.unzoom}
          </button>
        )}
      </div>
      <Answer polled={isDay ? day : recent}>
        {(activity) => <Plots activity={activity} zoom={zoom} onZoom={setZoom} />}
      </Answer>
    </section>
  );
}

const colors = ['--first', '--second', '--third', '--fourth', '--fifth', '--sixth'] as const;

interface PlotsProps {
  activity: Activity;
  zoom: Range | null;
  onZoom: (zoom: Range | null) => void;
}

function Plots({ activity, zoom, onZoom }: PlotsProps) {
  const { points, deadlineMs } = activity;
  const shown = useMemo(() => linesOf(activity), [activity]);
  const empty = points.every(({ done, failed, came, waiting }) => !done && !failed && !came && !waiting);
  if (empty) return <Notice kind="empty">{t.noData}</Notice>;
  const { times } = shown;
  // What was zoomed to may be over.
  const range = zoom !== null && zoom.max > times[0]! ? zoom : null;
  const shared = { times, zoom: range, onZoom };
  return (
    <div class="charts">
      <Chart title={t.rate} lines={shown.rates} value={rate} {...shared} />
      <Chart title={t.latencyChart(deadlineMs)} lines={shown.latency} value={milliseconds} {...shared} />
      <Chart title={t.lagChart} lines={shown.lag} value={number} whole {...shared} />
    </div>
  );
}

/** A deadline far above everything would flatten it: it is in the title. */
const deadlineShown = 4;

function linesOf({ seconds, points, partitions, deadlineMs }: Activity) {
  // The last span is not over: counts of it would always dip.
  const over = (n: number) => n < points.length - 1;
  const latency: Line[] = [
    { name: t.slowest, color: '--second', values: points.map(({ latencyP99 }) => latencyP99) },
    { name: t.median, color: '--first', values: points.map(({ latencyP50 }) => latencyP50) },
    { name: t.queue, color: '--fourth', values: points.map(({ waitP50 }) => waitP50) },
    { name: t.work, color: '--third', values: points.map(({ workP50 }) => workP50) },
  ];
  const most = points.reduce((all, { latencyP99 }) => Math.max(all, latencyP99 ?? 0), 0);
  if (deadlineMs !== null && most * deadlineShown >= deadlineMs) {
    latency.push({ name: t.deadline, color: '--bad', dashed: true, values: points.map(() => deadlineMs) });
  }
  return {
    times: points.map(({ at }) => at),
    rates: [
      {
        name: t.came,
        color: '--second',
        values: points.map(({ came }) => (came === null ? null : came / seconds)),
      },
      {
        name: t.done,
        color: '--first',
        values: points.map(({ done }, n) => (over(n) ? done / seconds : null)),
      },
    ],
    latency,
    lag:
      partitions.length > 1
        ? partitions.map(({ partition, waiting }, n) => ({
            name: `${t.partition} ${partition}`,
            color: colors[n % colors.length]!,
            values: waiting,
          }))
        : [{ name: t.lag, color: '--first', values: points.map(({ waiting }) => waiting) }],
  };
}
