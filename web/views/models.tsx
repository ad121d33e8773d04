/** Published models: how good they are, which belts run them, who switched them; switching and going back. */
import { useState } from 'preact/hooks';
import type {
  Model,
  ModelChange,
  ModelHistory,
  Models as Published,
  ModelSide,
  Rights,
  Status,
} from '../answers.ts';
import { ApiError, post } from '../api.ts';
import { Drifts } from '../drift.tsx';
import { fullMoment, moment, number, percent } from '../format.ts';
import { type Polled, usePoll } from '../hooks.ts';
import { Answer, Confirm, failed, Faults, type Said, Told } from '../parts.tsx';
import { type Column, Table } from '../table.tsx';
import { texts } from '../texts.ts';

const { models: t } = texts;

/** What is to be asked of the server, and what it says that it would change. */
interface Asked {
  path: string;
  body: { digest?: string | null; belt?: string };
  change: ModelChange;
}

export function Models({ status, rights }: { status: Polled<Status>; rights: Rights | undefined }) {
  const published = usePoll<Published>('/v1/models', 3000);
  const history = usePoll<ModelHistory>('/v1/models/history', 5000);
  const [belt, setBelt] = useState<string>();
  const [asked, setAsked] = useState<Asked>();
  const [told, setTold] = useState<Said>();
  const mayAct = rights?.may.operate === true;

  /** Without a confirmation the server only says what it would do. */
  const ask = async (path: string, more: { digest?: string | null }) => {
    const body = { ...more, ...(belt !== undefined && { belt }) };
    setTold(undefined);
    try {
      await post(path, body);
    } catch (error) {
      const change = error instanceof ApiError && (error.body as { change?: ModelChange })?.change;
      if (change) setAsked({ path, body, change });
      else setTold(failed(error));
    }
  };
  const act = async ({ path, body, change }: Asked) => {
    setAsked(undefined);
    try {
      await post(path, { ...body, confirm: true, force: change.force.length > 0 });
      setTold({ text: t.done(whoseOf(change.belt), nameOf(change.after)), bad: false });
    } catch (error) {
      setTold(failed(error));
    }
    published.again();
    history.again();
  };
  return (
    <>
      <h1>{t.heading}</h1>
      <Told told={told} />
      {status.data !== undefined && <Drifts status={status.data} />}
      <Answer polled={published}>
        {({ models, belts }) => (
          <>
            <InUse models={models} status={status.data} />
            <section>
              <h2>{t.published}</h2>
              {models.length === 0 ? (
                <p class="note">{t.none}</p>
              ) : (
                <>
                  {mayAct ? (
                    <div class="row act">
                      <label class="inline">
                        {t.target}
                        <select
                          value={belt ?? ''}
                          onChange={({ currentTarget: { value } }) =>
                            setBelt(value === '' ? undefined : value)
                          }
                        >
                          <option value="">{t.whole}</option>
                          {belts.map((one) => (
                            <option key={one} value={one}>
                              {t.whichBelt(one)}
                            </option>
                          ))}
                        </select>
                      </label>
                      {belt !== undefined && (
                        <button type="button" onClick={() => void ask('/v1/models/use', { digest: null })}>
                          {t.asPipeline}
                        </button>
                      )}
                      <button type="button" onClick={() => void ask('/v1/models/rollback', {})}>
                        {t.rollback}
                      </button>
                    </div>
                  ) : (
                    <p class="note act">{texts.readOnlyWhy}</p>
                  )}
                  <List
                    models={models}
                    {...(mayAct && { use: (digest) => void ask('/v1/models/use', { digest }) })}
                  />
                </>
              )}
            </section>
          </>
        )}
      </Answer>
      <section>
        <h2>{t.history}</h2>
        <Answer polled={history}>{(found) => <History history={found} />}</Answer>
      </section>
      {asked !== undefined && (
        <Confirm
          question={t.sure(whoseOf(asked.change.belt), nameOf(asked.change.after))}
          action={asked.change.force.length > 0 ? t.anyway : t.switch}
          danger={asked.change.force.length > 0}
          cancel={() => setAsked(undefined)}
          onYes={() => void act(asked)}
        >
          <Change change={asked.change} />
        </Confirm>
      )}
    </>
  );
}

function nameOf({ name, version }: { name: string; version: string }): string {
  return `${name}@${version}`;
}

function whoseOf(belt: string | null): string {
  return belt === null ? t.whole : t.whichBelt(belt);
}

function accuracy(top1: number | null | undefined): string {
  return top1 === null || top1 === undefined ? t.notMeasured : percent(100 * top1);
}

function InUse({ models, status }: { models: Model[]; status: Status | undefined }) {
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

function List({ models, use }: { models: Model[]; use?: (digest: string) => void }) {
  const columns: Column<Model>[] = [
    {
      name: t.model,
      cell: (model) => (
        <>
          {nameOf(model)}
          <Report model={model} models={models} />
        </>
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
        <button type="button" aria-label={t.useNamed(nameOf(model))} onClick={() => use(model.digest)}>
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

function Change({ change: { before, after, labels, force } }: { change: ModelChange }) {
  if (before !== null && before.digest === after.digest) return <p class="note">{t.same}</p>;
  const top1 = (side: ModelSide | null) => accuracy(side?.top1);
  const some = (all: string[]) => all.slice(0, 8).join(', ') + (all.length > 8 ? ', …' : '');
  const { removed, added } = labels;
  return (
    <>
      <ul class="change">
        <li>{before === null ? nameOf(after) : t.change(nameOf(before), nameOf(after))}</li>
        <li>{before === null ? `${t.accuracy}: ${top1(after)}` : t.accuracies(top1(before), top1(after))}</li>
        {removed.count + added.count === 0 && <li>{t.sameLabels(after.labels)}</li>}
        {removed.count > 0 && <li>{t.removed(removed.count, some(removed.some))}</li>}
        {added.count > 0 && <li>{t.added(added.count, some(added.some))}</li>}
      </ul>
      <Faults title={t.force} faults={force} />
    </>
  );
}

function History({ history: { switches } }: { history: ModelHistory }) {
  if (switches.length === 0) return <p class="note">{t.noHistory}</p>;
  return <Table columns={historyColumns} rows={switches} keyOf={({ at, belt }) => `${at} ${belt}`} />;
}

function runBy(belt: string | null, model: string | null): string {
  return model ?? (belt === null ? '–' : t.ofPipeline);
}

const historyColumns: Column<ModelHistory['switches'][number]>[] = [
  { name: t.when, cell: ({ at }) => <time dateTime={at}>{moment(at)}</time> },
  { name: t.whose, cell: ({ belt }) => whoseOf(belt) },
  { name: t.from, cell: ({ belt, former }) => runBy(belt, former) },
  { name: t.to, cell: ({ belt, current }) => runBy(belt, current) },
  { name: t.by, cell: ({ account, host }) => texts.bins.who(account, host) },
];
