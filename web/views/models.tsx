/** Published models: which belts run them, how they compare, who switched them; switching and going back. */
import type { ModelHistory, Models as Published, Rights, Status } from '../answers.ts';
import { Drifts } from '../drift.tsx';
import { moment } from '../format.ts';
import { type Place, type Polled, usePoll } from '../hooks.ts';
import { Answer } from '../parts.tsx';
import { type Column, Table } from '../table.tsx';
import { texts } from '../texts.ts';
import { Compare } from './models-compare.tsx';
import { InUse, ModelList } from './models-list.tsx';
import { Switch, whoseOf } from './models-switch.tsx';

const { models: t } = texts;

interface ModelsProps {
  place: Place;
  status: Polled<Status>;
  rights: Rights | undefined;
}

export function Models({ place, status, rights }: ModelsProps) {
  const published = usePoll<Published>('/v1/models', 3000);
  const history = usePoll<ModelHistory>('/v1/models/history', 5000);
  const mayAct = rights?.may.operate === true;
  const again = () => {
    published.again();
    history.again();
  };
  return (
    <>
      <h1>{t.heading}</h1>
      {status.data !== undefined && <Drifts status={status.data} />}
      <Answer polled={published}>
        {({ models, belts }) => (
          <>
            <InUse models={models} status={status.data} />
            <section>
              <h2>{t.published}</h2>
              {models.length === 0 ? (
                <p class="note">{t.none}</p>
              ) : mayAct ? (
                <Switch models={models} belts={belts} again={again} />
              ) : (
                <>
                  <p class="note act">{texts.readOnlyWhy}</p>
                  <ModelList models={models} />
                </>
              )}
            </section>
            <Compare models={models} belts={belts} id={place.query.get('compare')} mayAct={mayAct} />
          </>
        )}
      </Answer>
      <section>
        <h2>{t.history}</h2>
        <Answer polled={history}>{(found) => <History history={found} />}</Answer>
      </section>
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
