/** The rules as text: changed, tried on results that are there, put in force, and taken back. */
import { useState } from 'preact/hooks';
import type { BinHistory, Bins as Rules, LabelCount, TriedBins } from '../shared/answers.ts';
import { post } from '../shared/api.ts';
import { moment, number } from '../shared/format.ts';
import { usePoll } from '../shared/hooks.ts';
import { Answer, Confirm, failed, Faults, type Said, Told } from '../shared/parts.tsx';
import { Picture } from '../shared/picture.tsx';
import { type Column, Table } from '../shared/table.tsx';
import { texts } from '../texts.ts';

const { bins: t } = texts;

/** What is written, and the version that it was made from. */
interface Draft {
  text: string;
  version: number | null;
}

interface EditProps {
  bins: Rules;
  again: () => void;
}

/** For those who may change them. */
export function EditBins({ bins, again }: EditProps) {
  const history = usePoll<BinHistory>('/v1/bins/history', 5000);
  const [draft, setDraft] = useState<Draft>();
  const [trial, setTrial] = useState<{ of: string; found: TriedBins }>();
  const [isTrying, setTrying] = useState(false);
  const [asked, setAsked] = useState<'use' | 'rollback'>();
  const [told, setTold] = useState<Said>();
  const labels = usePoll<{ labels: LabelCount[] }>(bins.text === null ? '/v1/labels' : null, 60_000);
  const fresh = { text: bins.text ?? exampleOf(labels.data?.labels ?? []), version: bins.version };
  const { text, version } = draft ?? fresh;
  // Not of what stood there before, even where the answer comes only now.
  const tried = trial?.of === text ? trial.found : undefined;
  const restart = () => {
    setDraft(undefined);
    setTrial(undefined);
    setTold(undefined);
  };
  const tryOut = async () => {
    setTold(undefined);
    setTrying(true);
    try {
      setTrial({ of: text, found: await post<TriedBins>('/v1/bins/try', { rules: text }) });
    } catch (error) {
      setTrial(undefined);
      setTold(failed(error));
    }
    setTrying(false);
  };
  const act = async (path: string, body: object) => {
    setAsked(undefined);
    try {
      const used = await post<{ version: number }>(path, body);
      restart();
      setTold({ text: t.used(used.version), bad: false });
    } catch (error) {
      setTold(failed(error));
    }
    again();
    history.again();
  };
  const mustForce = tried !== undefined && (!tried.checked || tried.faults.length > 0);
  const former = history.data?.switches[0]?.former ?? null;
  return (
    <>
      <section>
        <h2>{t.edit}</h2>
        <Told told={told} />
        {draft !== undefined && draft.version !== bins.version && (
          <p class="note bad" role="alert">
            {t.changedMeanwhile}
          </p>
        )}
        <label>
          {t.rules}
          <textarea
            class="rules"
            rows={Math.min(24, Math.max(8, text.split('\n').length + 1))}
            spellcheck={false}
            maxLength={65_536}
            value={text}
            onInput={(event) => setDraft({ text: event.currentTarget.value, version })}
          />
        </label>
        <div class="row act">
          <button type="button" class="main" disabled={isTrying} onClick={() => void tryOut()}>
            {isTrying ? t.trying : t.try}
          </button>
          {tried !== undefined && (
            <button type="button" onClick={() => setAsked('use')}>
              {t.use}
            </button>
          )}
          {draft !== undefined && (
            <button type="button" class="plain" onClick={restart}>
              {t.restart}
            </button>
          )}
        </div>
        {hasComment(text) && <p class="note">{t.noComments}</p>}
        {tried !== undefined && <Tried tried={tried} />}
      </section>
      <section>
        <h2>{t.history}</h2>
        <Answer polled={history}>{(found) => <History history={found} />}</Answer>
        {former !== null && (
          <button type="button" class="below" onClick={() => setAsked('rollback')}>
            {t.rollback}
          </button>
        )}
      </section>
      {asked === 'use' && (
        <Confirm
          question={tried?.checked === false ? t.sureUnchecked : mustForce ? t.sureForce : t.sureUse}
          action={t.use}
          danger={mustForce}
          cancel={() => setAsked(undefined)}
          onYes={() =>
            void act('/v1/bins/use', { rules: text, source: 'live page', version, force: mustForce })
          }
        >
          {hasComment(text) && <p class="note">{t.noComments}</p>}
        </Confirm>
      )}
      {asked === 'rollback' && (
        <Confirm
          question={t.sureRollback(former!)}
          action={t.rollback}
          cancel={() => setAsked(undefined)}
          onYes={() => void act('/v1/bins/rollback', { version: bins.version })}
        />
      )}
    </>
  );
}

/** Rules that hold for the model in use, to begin with. */
function exampleOf(labels: readonly LabelCount[]): string {
  const some = labels.length < 2 ? t.exampleClasses : labels.slice(0, 3).map(({ label }) => label);
  // As JSON has them, which YAML reads.
  const list = (classes: readonly string[]) => `[${classes.map((one) => JSON.stringify(one)).join(', ')}]`;
  return t.example(list(some.slice(0, -1)), list(some.slice(-1)));
}

/** Roughly: a `#` within quotes, too. */
function hasComment(text: string): boolean {
  return /(^|\s)#/m.test(text);
}

const moveColumns: Column<TriedBins['moves'][number]>[] = [
  { name: t.from, cell: ({ from }) => from ?? t.noBin },
  { name: t.to, cell: ({ to }) => to },
  { name: t.images, cell: ({ results }) => number(results), right: true },
  {
    name: t.examples,
    cell: ({ examples }) => (
      <span class="row">
        {examples.map(({ id, imageKey, category }) => (
          <a key={id} href={`#/image/${encodeURIComponent(id)}`} title={category}>
            <Picture imageKey={imageKey} side={192} alt={category} />
          </a>
        ))}
      </span>
    ),
  },
];

const binColumns: Column<TriedBins['bins'][number]>[] = [
  { name: t.bin, cell: ({ bin }) => bin },
  { name: t.now, cell: ({ now }) => number(now), right: true },
  { name: t.then, cell: ({ then }) => number(then), right: true },
];

function Tried({ tried: { checked, faults, notes, results, bins, moves } }: { tried: TriedBins }) {
  const moved = moves.reduce((sum, move) => sum + move.results, 0);
  return (
    <div class="tried" role="region" aria-label={t.tried(results)}>
      <p class="note">{t.tried(results)}</p>
      {!checked && <p class="note bad">{t.unchecked}</p>}
      <Faults title={t.faults} faults={faults} />
      {notes.length > 0 && (
        <ul class="change">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      {results > 0 && (
        <>
          <h3>{moved === 0 ? t.nothingMoves : t.moves(moved)}</h3>
          {moved > 0 && (
            <div class="moves">
              <Table
                columns={moveColumns}
                rows={moves.slice(0, 50)}
                keyOf={({ from, to }) => `${from} ${to}`}
              />
            </div>
          )}
          <Table columns={binColumns} rows={bins.slice(0, 100)} keyOf={({ bin }) => bin} />
        </>
      )}
    </div>
  );
}

function History({ history: { switches } }: { history: BinHistory }) {
  if (switches.length === 0) return <p class="note">{t.noHistory}</p>;
  return <Table columns={historyColumns} rows={switches} keyOf={({ at }) => at} />;
}

const historyColumns: Column<BinHistory['switches'][number]>[] = [
  { name: t.when, cell: ({ at }) => <time dateTime={at}>{moment(at)}</time> },
  { name: t.from, cell: ({ former }) => former ?? t.noRules, right: true },
  { name: t.to, cell: ({ current }) => current, right: true },
  { name: t.by, cell: ({ account, host }) => t.who(account, host) },
];
