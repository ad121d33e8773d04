/** Published models: how good each is, what its training said, and which belts run it. */
import type { Model, Status } from '../shared/answers.ts';
import { fullMoment, moment, number, percent } from '../shared/format.ts';
import { type Column, Table } from '../shared/table.tsx';
import { texts } from '../texts.ts';

const { models: t } = texts;

export function nameOf({ name, version }: { name: string; version: string }): string {
  return `${name}@${version}`;
}

export function accuracy(top1: number | null | undefined): string {
  return top1 === null || top1 === undefined ? t.notMeasured : percent(100 * top1);
}

export function InUse({ models, status }: { models: Model[]; status: Status | undefined }) {
  const used = models.flatMap((model) => model.usedBy.map((belt) => ({ belt, model })));
  const whole = used.find(({ belt }) => belt === null);
  const belts = used.flatMap(({ belt, model }) => (belt === null ? [] : [{ belt, model }]));
  return (
    <section>
      <h2>{t.inUse}</h2>
      <dl class="use">
        <div>
          <dt>{t.pipeline}</dt>
          <dd>
            {whole === undefined
              ? (status?.model.active ?? t.notChosen)
              : `${nameOf(whole.model)} (${accuracy(whole.model.metrics?.top1)})`}
          </dd>
        </div>
        {belts
          .toSorted((a, b) => a.belt.localeCompare(b.belt))
          .map(({ belt, model }) => (
            <div key={belt}>
              <dt>{t.belt(belt)}</dt>
              <dd>{`${nameOf(model)} (${accuracy(model.metrics?.top1)})`}</dd>
            </div>
          ))}
      </dl>
      {status?.model.disagreement === true && <p class="note bad">{t.disagreement}</p>}
    </section>
  );
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

interface Use {
  /** Null: the pipeline. */
  belt: string | null;
  ask: (digest: string) => void;
}

export function ModelList({ models, use }: { models: Model[]; use?: Use }) {
  const columns: Column<Model>[] = [
    {
      name: t.model,
      cell: (model) => (
        <div>
          {nameOf(model)}
          <Report model={model} models={models} />
        </div>
      ),
    },
    { name: t.accuracy, cell: ({ metrics }) => accuracy(metrics?.top1), right: true },
    { name: t.labels, cell: ({ labels }) => number(labels), right: true },
    { name: t.made, cell: ({ created, publishedAt }) => moment(created ?? publishedAt) },
    {
      name: t.usedBy,
      cell: ({ usedBy }) =>
        usedBy.length > 0 && (
          <span class="row">
            {usedBy.map((belt) => (
              <span key={belt} class="pill ok">
                {belt ?? t.all}
              </span>
            ))}
          </span>
        ),
    },
  ];
  if (use !== undefined)
    columns.push({
      name: t.switch,
      cell: (model) => (
        <button
          type="button"
          aria-label={t.useNamed(nameOf(model))}
          disabled={model.usedBy.includes(use.belt)}
          onClick={() => use.ask(model.digest)}
        >
          {t.use}
        </button>
      ),
      right: true,
    });
  return <Table columns={columns} rows={models} keyOf={({ digest }) => digest} />;
}

/** What its training said of it, as far as it is known. */
function Report({ model, models }: { model: Model; models: Model[] }) {
  const { metrics, expected, training, knows, source, parent, digest, publishedAt } = model;
  const { report: r } = t;
  const made = models.find((one) => one.digest === parent);
  const share = (value: number | undefined) => value !== undefined && percent(100 * value);
  // What else trainers write is checked by nobody.
  const heldOut = numberOf(metrics?.['heldOutImages']) ?? expected?.images;
  const measuredOn = metrics?.['measuredOn'];
  const facts: [string, string | false | null | undefined][] = [
    [r.knows, knows],
    [r.heldOut, typeof measuredOn === 'string' ? measuredOn : heldOut !== undefined && r.images(heldOut)],
    [r.top5, share(metrics?.top5)],
    [r.agreement, share(metrics?.agreement)],
    [r.confidence, expected && percent(expected.confidence.mean)],
    [r.unknown, share(expected?.unknown)],
    [r.training, training && r.trained(training.mode, numberOf(training['trainImages']))],
    [r.source, source],
    [r.parent, made === undefined ? parent?.slice(0, 19) : nameOf(made)],
    [r.published, fullMoment(publishedAt)],
    [r.digest, digest.slice(0, 19)],
  ];
  return (
    <details>
      <summary>{t.more}</summary>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </details>
  );
}
