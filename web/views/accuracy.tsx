/** How good the model is, by what people said of its images. */
import { useEffect, useState } from 'preact/hooks';
import type { Accuracy } from '../answers.ts';
import { number, percent } from '../format.ts';
import { usePoll } from '../hooks.ts';
import { PhotographNext } from '../label/photograph-next.tsx';
import { Answer } from '../parts.tsx';
import { type Column, Table } from '../table.tsx';
import { texts } from '../texts.ts';

const { label: t } = texts;

/** Lines of a table. */
const most = 12;

/** What others label is seen after this time, in milliseconds. */
const everyMs = 60_000;
/** What is labelled here, after this: who types quickly has it counted once, and the server keeps an answer for a second. */
const afterMs = 3000;

/** `recorded` changes when something was labelled here. */
export function HowGood({ recorded }: { recorded: number }) {
  const polled = usePoll<Accuracy>('/v1/accuracy', everyMs);
  const { again } = polled;
  useEffect(() => {
    if (recorded === 0) return;
    const timer = setTimeout(again, afterMs);
    return () => clearTimeout(timer);
  }, [recorded, again]);
  return (
    <aside class="good" aria-labelledby="how-good">
      {polled.data !== undefined && <PhotographNext next={polled.data.photographNext} />}
      <h2 id="how-good">{t.accuracy}</h2>
      <Answer polled={polled}>{(accuracy) => <Shown accuracy={accuracy} />}</Answer>
    </aside>
  );
}

function Shown({ accuracy }: { accuracy: Accuracy }) {
  const models = accuracy.models.filter(({ images }) => images > 0);
  const [chosen, setChosen] = useState<string>();
  const shown = models.find(({ model }) => model.digest === chosen) ?? models[0];
  if (shown === undefined) return <p class="note">{t.noAccuracy}</p>;
  const { model, top1, interval95, right, images } = shown;
  const own = <T extends { digest: string }>(rows: T[]) =>
    rows.filter(({ digest }) => digest === model.digest).slice(0, most);
  const days = accuracy.days.filter((day) => day.model.digest === model.digest).slice(0, most);
  const confused = own(accuracy.confused);
  return (
    <>
      {models.length > 1 ? (
        <label>
          {t.model}
          <select value={model.digest} onChange={(event) => setChosen(event.currentTarget.value)}>
            {models.map(({ model: { name, version, digest } }) => (
              <option key={digest} value={digest}>
                {name} {version}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <p class="quiet">
          {model.name} {model.version}
        </p>
      )}
      <div class="tile">
        <h3>{t.right}</h3>
        <p class="value">{percent(100 * top1!)}</p>
        <p class="note">{t.rightOf(right, images)}</p>
        <p class="note">{t.certain(percent(100 * interval95!.low), percent(100 * interval95!.high))}</p>
      </div>
      <Shares
        title={t.byClass}
        name={t.class}
        rows={own(accuracy.classes).map((one) => ({ ...one, name: one.label }))}
      />
      {confused.length > 0 && (
        <>
          <h3>{t.confused}</h3>
          <ul class="confused">
            {confused.map(({ label, category, images: n }) => (
              <li key={`${label} ${category}`}>
                {t.confusedAs(label, category)} <span class="quiet">{t.times(n)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <Shares title={t.byDay} name={t.day} rows={days.map((one) => ({ ...one, name: one.day! }))} />
      <p class="note">{accuracy.note}</p>
    </>
  );
}

interface Share {
  name: string;
  images: number;
  top1: number | null;
  interval95: { low: number; high: number } | null;
}

function Shares({ title, name, rows }: { title: string; name: string; rows: Share[] }) {
  const columns: Column<Share>[] = [
    { name, cell: (row) => row.name },
    {
      name: t.right,
      cell: ({ top1, interval95 }) => (
        <span title={t.certain(percent(100 * interval95!.low), percent(100 * interval95!.high))}>
          {percent(100 * top1!)}
        </span>
      ),
      right: true,
    },
    { name: t.images, cell: ({ images }) => number(images), right: true },
  ];
  return (
    <>
      <h3>{title}</h3>
      <Table columns={columns} rows={rows} keyOf={(row) => row.name} />
    </>
  );
}
