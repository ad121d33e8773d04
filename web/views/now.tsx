/** How everything fares now, and in the last quarter of an hour or day. */
import { useState } from 'preact/hooks';
import { Charts } from '../activity.tsx';
import type { Activity, Consumer, Partition, Status } from '../answers.ts';
import { Belts } from '../belts.tsx';
import { age, cores, memory, number } from '../format.ts';
import { type Polled, usePoll } from '../hooks.ts';
import { Answer, Notice } from '../parts.tsx';
import { type Column, Table } from '../table.tsx';
import { texts } from '../texts.ts';
import { type LastLags, Tiles, useLastLags } from '../tiles.tsx';
import { Trouble } from '../trouble.tsx';
import { Command, since, Verdict } from '../verdict.tsx';

const { now: t } = texts;

export function Now({ status }: { status: Polled<Status> }) {
  const recent = usePoll<Activity>('/v1/activity?window=15m', 3000);
  const lags = useLastLags(status.data);
  return (
    <>
      <h1>{t.heading}</h1>
      <Answer polled={status} fault={<Trouble polled={status} />}>
        {(found) => (
          <>
            {status.error === undefined && <Verdict status={found} />}
            <Tiles status={found} activity={recent.data} lags={lags} />
            <Charts recent={recent} />
            <Belts status={found} />
            <Consumers status={found} />
            <Partitions status={found} lags={lags} />
            <Servers status={found} />
          </>
        )}
      </Answer>
    </>
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
        <Notice kind="empty" hint={<Command text="visionscale consume" />}>
          {t.noConsumers}
        </Notice>
      ) : (
        <Table columns={columns} rows={rows} keyOf={({ owner }) => owner} />
      )}
    </section>
  );
}

/** More are looked for, not read. */
const mostPartitions = 50;

function Partitions({ status, lags }: { status: Status; lags: LastLags }) {
  const [isAll, setAll] = useState(false);
  const { partitions } = status;
  const many = partitions.length > mostPartitions;
  const rows = many && !isAll ? worst(partitions).slice(0, mostPartitions) : partitions;
  const old = lags.age > 0 ? 'quiet' : '';
  const columns: Column<Partition>[] = [
    { name: t.partition, cell: ({ partition }) => partition },
    {
      name: t.lag,
      cell: (one) => {
        const lag = lags.of(one);
        return lag === null ? t.unknown : <span class={old}>{number(lag)}</span>;
      },
      right: true,
    },
    { name: t.owner, cell: ({ owner }) => owner ?? t.nobody },
    { name: t.state, cell: ({ state }) => <State state={state} /> },
    { name: t.since, cell: ({ since: at }) => <Since at={at} now={status.time} /> },
    { name: t.why, cell: ({ detail }) => detail },
  ];
  return (
    <section>
      <h2>{t.partitions}</h2>
      <Table columns={columns} rows={rows} keyOf={({ partition }) => partition} />
      {many && !isAll && (
        <p class="row note">
          {t.some(rows.length, partitions.length)}
          <button type="button" onClick={() => setAll(true)}>
            {t.all(partitions.length)}
          </button>
        </p>
      )}
    </section>
  );
}

/** Those without a consumer at work first, then those with the most messages. */
function worst(partitions: readonly Partition[]): Partition[] {
  const idle = ({ state }: Partition) => (state === 'consuming' ? 0 : 1);
  return partitions.toSorted((a, b) => idle(b) - idle(a) || (b.lag ?? 0) - (a.lag ?? 0));
}

function Servers({ status }: { status: Status }) {
  const { servers, away, time } = status;
  return (
    <section>
      <h2>{t.servers}</h2>
      <ul class="servers">
        {(['database', 'topic', 'store'] as const).map((name) => {
          const server = servers[name];
          const gone = away.find((one) => one.server === name);
          return (
            <li key={name}>
              <span class={`pill ${server === null ? '' : server.reachable ? 'ok' : 'bad'}`}>
                {server === null ? t.unknown : server.reachable ? t.answers : (server.reason ?? '')}
                {gone !== undefined &&
                  server?.reachable === false &&
                  ` ${since(gone.since, Date.parse(time))}`}
              </span>
              {t.names[name]}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
