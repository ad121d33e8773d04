/** How everything fares now, and in the last quarter of an hour or day. */
import { useMemo, useState } from 'preact/hooks';
import type { Activity, Consumer, Partition, Status } from '../answers.ts';
import { Chart } from '../chart.tsx';
import { Drifts } from '../drift.tsx';
import { age, cores, memory, milliseconds, number, rate } from '../format.ts';
import { type Polled, usePoll } from '../hooks.ts';
import { Answer, Tile } from '../parts.tsx';
import { type Column, Table } from '../table.tsx';
import { texts } from '../texts.ts';

const { now: t } = texts;

export function Now({ status }: { status: Polled<Status> }) {
  const recent = usePoll<Activity>('/v1/activity?window=15m', 3000);
  return (
    <>
      <h1>{t.heading}</h1>
      <Answer polled={status}>
        {(found) => (
          <>
            <p class={`verdict ${found.verdict.ok ? 'ok' : 'bad'}`} role="status">
              {found.verdict.text}
            </p>
            <Drifts status={found} />
            <Tiles status={found} activity={recent.data} />
            <Charts recent={recent} />
            <Consumers status={found} />
            <Partitions status={found} />
            <Servers status={found} />
          </>
        )}
      </Answer>
    </>
  );
}

/** Of the last spans that are over: one alone jumps. */
const spans = 3;

function Tiles({ status, activity }: { status: Status; activity: Activity | undefined }) {
  const { partitions, consumers, deadLetters, model, bins } = status;
  const lags = partitions.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  const lag = lags.length === partitions.length ? lags.reduce((sum, one) => sum + one, 0) : null;
  const past = activity?.points.slice(-1 - spans, -1) ?? [];
  const seconds = spans * (activity?.seconds ?? 1);
  const done = past.reduce((sum, point) => sum + point.done, 0) / seconds;
  const came = past.every((point) => point.came !== null)
    ? past.reduce((sum, point) => sum + (point.came ?? 0), 0) / seconds
    : null;
  const last = past.findLast(({ latencyP50 }) => latencyP50 !== null);
  const standby = consumers.filter(({ state }) => state === 'standing by').length;
  const silent = status.silent.length;
  // Each may have its own, where nobody has chosen one for all.
  const running = [...new Set(consumers.flatMap((one) => one.model ?? []))].join(', ') || undefined;
  return (
    <section class="tiles">
      <Tile name={t.came} value={came === null || past.length === 0 ? '–' : rate(came)} unit={t.aSecond} />
      <Tile name={t.done} value={past.length === 0 ? '–' : rate(done)} unit={t.aSecond} />
      <Tile
        name={t.latency}
        value={last === undefined ? '–' : `${milliseconds(last.latencyP50)}`}
        note={last === undefined ? t.latencyParts : `${t.slowest} ${milliseconds(last.latencyP99)}`}
      />
      <Tile name={t.lag} value={lag === null ? t.unknown : number(lag)} note={t.lagWhat} />
      <Tile
        name={t.consumers}
        value={number(consumers.length - standby)}
        note={`${t.standby(standby)}${silent > 0 ? `, ${silent} ${t.silent}` : ''}`}
        bad={consumers.length === 0 || silent > 0}
      />
      <Tile
        name={t.letters}
        value={<a href="#/dead-letters">{number(deadLetters)}</a>}
        note={t.open}
        bad={deadLetters > 0}
      />
      <Tile
        name={t.model}
        value={
          <a class="word" href="#/models">
            {model.active ?? running ?? t.noModel}
          </a>
        }
      />
      <Tile
        name={t.bins}
        value={
          <a class="word" href="#/bins">
            {bins === null ? t.noBins : t.version(bins.version)}
          </a>
        }
        note={bins?.source}
      />
    </section>
  );
}

function Charts({ recent }: { recent: Polled<Activity> }) {
  const [isDay, setDay] = useState(false);
  const day = usePoll<Activity>(isDay ? '/v1/activity?window=24h' : null, 60_000);
  const polled = isDay ? day : recent;
  return (
    <section>
      <div class="row switch" role="group" aria-label={t.window}>
        <button type="button" aria-pressed={!isDay} onClick={() => setDay(false)}>
          {t.quarter}
        </button>
        <button type="button" aria-pressed={isDay} onClick={() => setDay(true)}>
          {t.day}
        </button>
      </div>
      <Answer polled={polled}>{(activity) => <Plots activity={activity} />}</Answer>
    </section>
  );
}

function Plots({ activity }: { activity: Activity }) {
  const { seconds, points } = activity;
  const shown = useMemo(() => {
    // The last span is not over: it would always dip.
    const past = points.slice(0, -1);
    return {
      times: past.map(({ at }) => at),
      rates: [
        {
          name: t.came,
          color: '--second',
          values: past.map(({ came }) => (came === null ? null : came / seconds)),
        },
        { name: t.done, color: '--first', values: past.map(({ done }) => done / seconds) },
      ],
      latency: [
        { name: t.slowest, color: '--second', values: past.map(({ latencyP99 }) => latencyP99) },
        { name: t.median, color: '--first', values: past.map(({ latencyP50 }) => latencyP50) },
        { name: t.work, color: '--third', values: past.map(({ workP50 }) => workP50) },
      ],
    };
  }, [points, seconds]);
  const empty = points.every(({ done, failed, came }) => done === 0 && failed === 0 && !came);
  if (empty) return <p class="note">{t.noData}</p>;
  return (
    <div class="charts">
      <Chart title={t.rate} times={shown.times} lines={shown.rates} />
      <Chart title={t.latencyChart} times={shown.times} lines={shown.latency} />
    </div>
  );
}

/** Of states; others are as they should be, or nobody's fault. */
const marks: Partial<Record<string, string>> = {
  consuming: 'ok',
  'standing by': 'ok',
  waiting: 'warn',
  draining: 'warn',
  starting: 'warn',
  stalled: 'bad',
  expired: 'bad',
  silent: 'bad',
};

function State({ state }: { state: string }) {
  return <span class={`pill ${marks[state] ?? ''}`}>{state}</span>;
}

function Since({ at, now }: { at: string | null; now: string }) {
  return <>{at === null ? '' : age(Date.parse(now) - Date.parse(at))}</>;
}

function Consumers({ status }: { status: Status }) {
  const rows: Consumer[] = [
    ...status.consumers,
    ...status.silent.map((one) => ({ ...one, state: t.silent, since: one.heardAt })),
  ];
  const columns: Column<Consumer>[] = [
    { name: t.host, cell: ({ owner }) => owner },
    { name: t.state, cell: ({ state }) => <State state={state} /> },
    { name: t.since, cell: ({ since }) => <Since at={since} now={status.time} /> },
    { name: t.lastMinute, cell: ({ imagesLastMinute }) => number(imagesLastMinute), right: true },
    { name: t.cores, cell: ({ cpuCores }) => cores(cpuCores), right: true },
    { name: t.memory, cell: ({ memoryBytes }) => memory(memoryBytes), right: true },
    { name: t.model, cell: ({ model }) => model },
    { name: t.engine, cell: ({ engine }) => engine },
    { name: t.why, cell: ({ detail }) => detail },
  ];
  return (
    <section>
      <h2>{t.consumers}</h2>
      {rows.length === 0 ? (
        <p class="note">{t.noConsumers}</p>
      ) : (
        <Table columns={columns} rows={rows} keyOf={({ owner }) => owner} />
      )}
    </section>
  );
}

function Partitions({ status }: { status: Status }) {
  const columns: Column<Partition>[] = [
    { name: t.partition, cell: ({ partition }) => partition },
    { name: t.lag, cell: ({ lag }) => (lag === null ? t.unknown : number(lag)), right: true },
    { name: t.owner, cell: ({ owner }) => owner ?? t.nobody },
    { name: t.state, cell: ({ state }) => <State state={state} /> },
    { name: t.since, cell: ({ since }) => <Since at={since} now={status.time} /> },
    { name: t.why, cell: ({ detail }) => detail },
  ];
  return (
    <section>
      <h2>{t.partitions}</h2>
      <Table columns={columns} rows={status.partitions} keyOf={({ partition }) => partition} />
    </section>
  );
}

function Servers({ status }: { status: Status }) {
  const { servers } = status;
  return (
    <section>
      <h2>{t.servers}</h2>
      <ul class="servers">
        {(['database', 'topic', 'store'] as const).map((name) => {
          const server = servers[name];
          return (
            <li key={name}>
              <span class={`pill ${server === null ? '' : server.reachable ? 'ok' : 'bad'}`}>
                {server === null ? t.unknown : server.reachable ? t.answers : (server.reason ?? '')}
              </span>
              {t.names[name]}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
