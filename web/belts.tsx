/** The belts of the last minutes, each with its way to its images and to itself as it runs. */
import type { Belts as Answered, Drift, Status } from './answers.ts';
import { driftPlace, driftWords } from './drift.tsx';
import { milliseconds, number, percent } from './format.ts';
import { usePoll } from './hooks.ts';
import { Answer, Notice } from './parts.tsx';
import { type Column, Table } from './table.tsx';
import { texts } from './texts.ts';

const { belts: t } = texts;

type Belt = Answered['belts'][number];
/** One that has changed is there though nothing came from it lately. */
type Row = Pick<Belt, 'belt' | 'images'> & Partial<Belt>;

export function Belts({ status }: { status: Status }) {
  const polled = usePoll<Answered>('/v1/belts', 10_000);
  const columns: Column<Row>[] = [
    { name: t.belt, cell: ({ belt }) => belt ?? t.without },
    { name: t.images, cell: ({ images }) => number(images), right: true },
    {
      name: t.unknown,
      cell: ({ unknown = null, images }) => (unknown === null ? '–' : percent((100 * unknown) / images)),
      right: true,
    },
    { name: t.latency, cell: ({ latencyP50 = null }) => milliseconds(latencyP50), right: true },
    { name: t.model, cell: ({ model }) => (model ? `${model.name} ${model.version}` : t.pipelines) },
    {
      name: t.drift,
      cell: ({ belt }) => <Changes drifts={status.drift.filter((one) => one.belt === belt)} />,
    },
    { name: t.look, cell: ({ belt }) => <Places belt={belt} /> },
  ];
  return (
    <section>
      <h2>{t.heading}</h2>
      <Answer polled={polled}>
        {({ belts, others }) => {
          const rows = withQuiet(belts, status.drift);
          if (rows.length === 0) return <Notice kind="empty">{t.none}</Notice>;
          return (
            <>
              <Table columns={columns} rows={rows} keyOf={({ belt }) => belt ?? ''} />
              {others > 0 && <p class="note">{t.others(others)}</p>}
              {status.drift.length > 0 && <p class="note">{texts.drift.todo}</p>}
            </>
          );
        }}
      </Answer>
    </section>
  );
}

function withQuiet(belts: readonly Belt[], drifts: readonly Drift[]): Row[] {
  const named = new Set(belts.map(({ belt }) => belt));
  const quiet = new Set(drifts.map(({ belt }) => belt).filter((belt) => !named.has(belt)));
  return [...belts, ...[...quiet].map((belt) => ({ belt, images: 0 }))];
}

function Changes({ drifts }: { drifts: readonly Drift[] }) {
  if (drifts.length === 0) return <span class="quiet">{t.noDrift}</span>;
  return (
    <ul class="changes">
      {drifts.map((one) => (
        <li key={`${one.kind} ${one.category}`}>
          <a href={`#/images?${driftPlace(one)}`}>{driftWords(one)}</a>
        </li>
      ))}
    </ul>
  );
}

function Places({ belt }: { belt: string | null }) {
  // Those without a belt cannot be asked for alone.
  if (belt === null) return null;
  const query = String(new URLSearchParams({ belt }));
  return (
    <span class="links">
      <a href={`#/images?${query}`}>{t.itsImages}</a>
      <a href={`#/belt?${query}`}>{t.asItRuns}</a>
    </span>
  );
}
