/** Requests that failed for good, by cause; retried or dropped, one, many, or all of a cause. */
import { useState } from 'preact/hooks';
import type { Letter, LetterPage, Rights } from '../shared/answers.ts';
import { moment, number } from '../shared/format.ts';
import { type Place, usePoll } from '../shared/hooks.ts';
import { type LetterActions, useLetterActions } from '../shared/letter-actions.tsx';
import { Answer, Notice, Told } from '../shared/parts.tsx';
import { Picture } from '../shared/picture.tsx';
import { useLeftPlace } from '../shared/way-back.ts';
import { texts } from '../texts.ts';

const { letters: t } = texts;

/** Letters of each cause where all causes are shown. */
const shownOfEach = 5;

export function DeadLetters({ place, rights }: { place: Place; rights: Rights | undefined }) {
  const code = place.query.get('code');
  const [limit, setLimit] = useState(50);
  const asked =
    code === null ? `each=${shownOfEach}&limit=500` : `code=${encodeURIComponent(code)}&limit=${limit}`;
  const polled = usePoll<LetterPage>(`/v1/dead-letters?${asked}`, 3000, code ?? '');
  useLeftPlace(polled.data !== undefined);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const actions = useLetterActions(() => {
    setChosen(new Set());
    polled.again();
  });
  const mayAct = rights?.may.operate === true;
  const toggle = (id: number) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  return (
    <>
      <h1>{t.heading}</h1>
      <div class="kept">
        <Told told={actions.told} />
      </div>
      <Answer polled={polled}>
        {({ letters, open, next }) => {
          const total = Object.values(open).reduce((sum, n) => sum + n, 0);
          if (total === 0 && letters.length === 0) return <Notice kind="empty">{t.none}</Notice>;
          return (
            <>
              <Causes open={open} total={total} code={code} />
              {mayAct ? (
                <Act letters={letters} chosen={chosen} choose={setChosen} actions={actions} />
              ) : (
                <p class="note act">{texts.readOnlyWhy}</p>
              )}
              {letters.length === 0 && <Notice kind="empty">{t.noneOf(code ?? '')}</Notice>}
              {causesOf(letters, open).map(([cause, some]) => (
                <Cause
                  key={cause}
                  code={cause}
                  count={open[cause] ?? some.length}
                  letters={some}
                  isAlone={code !== null}
                  {...(mayAct && { actions, chosen, toggle })}
                />
              ))}
              {next !== null && limit < 500 && (
                <button type="button" class="more" onClick={() => setLimit(Math.min(500, limit + 100))}>
                  {t.more}
                </button>
              )}
            </>
          );
        }}
      </Answer>
      {actions.dialog}
    </>
  );
}

function Causes({ open, total, code }: { open: LetterPage['open']; total: number; code: string | null }) {
  return (
    <nav class="row causes" aria-label={t.causes}>
      <a class="button" href="#/dead-letters" aria-current={code === null}>
        {t.all(total)}
      </a>
      {Object.entries(open).map(([one, n]) => (
        <a key={one} class="button" href={addressOf(one)} aria-current={code === one}>
          {t.byCode(one, n)}
        </a>
      ))}
    </nav>
  );
}

function addressOf(code: string): string {
  return `#/dead-letters?code=${encodeURIComponent(code)}`;
}

/** The most frequent first. */
function causesOf(letters: readonly Letter[], open: LetterPage['open']): [string, Letter[]][] {
  const causes = new Map<string, Letter[]>(Object.keys(open).map((code) => [code, []]));
  for (const letter of letters) {
    const some = causes.get(letter.code);
    if (some === undefined) causes.set(letter.code, [letter]);
    else some.push(letter);
  }
  return [...causes].filter(([, some]) => some.length > 0);
}

interface ActProps {
  letters: readonly Letter[];
  chosen: ReadonlySet<number>;
  choose: (ids: ReadonlySet<number>) => void;
  actions: LetterActions;
}

/** What is chosen of those that are shown: what has gone meanwhile is not acted on unseen. */
function Act({ letters, chosen, choose, actions: { ask, isBusy } }: ActProps) {
  const ids = letters.map(({ id }) => id);
  const selected = ids.filter((id) => chosen.has(id));
  const cannot = selected.length === 0 || isBusy;
  return (
    <div class="row act">
      <label class="check">
        <input
          type="checkbox"
          checked={ids.length > 0 && selected.length === ids.length}
          onChange={(event) => choose(new Set(event.currentTarget.checked ? ids : []))}
        />
        {t.selectAll}
      </label>
      <span class="quiet">{t.chosen(selected.length)}</span>
      <button type="button" class="main" disabled={cannot} onClick={() => ask('retry', selected)}>
        {t.retry}
      </button>
      <button type="button" class="danger" disabled={cannot} onClick={() => ask('drop', selected)}>
        {t.drop}
      </button>
    </div>
  );
}

interface CauseProps {
  code: string;
  /** All that are open, not only those shown. */
  count: number;
  letters: readonly Letter[];
  /** No other cause is shown. */
  isAlone: boolean;
  actions?: LetterActions;
  chosen?: ReadonlySet<number>;
  toggle?: (id: number) => void;
}

function Cause({ code, count, letters, isAlone, actions, chosen, toggle }: CauseProps) {
  return (
    <section aria-label={code}>
      <div class="row cause">
        <h2>{t.cause(code, count)}</h2>
        {!isAlone && letters.length < count && <a href={addressOf(code)}>{t.showAll(count)}</a>}
        {actions !== undefined && (
          <span class="end">
            <button
              type="button"
              disabled={actions.isBusy}
              onClick={() => void actions.askAll('retry', code)}
            >
              {t.retryAll(count)}
            </button>
            <button
              type="button"
              class="danger"
              disabled={actions.isBusy}
              onClick={() => void actions.askAll('drop', code)}
            >
              {t.dropAll(count)}
            </button>
          </span>
        )}
      </div>
      <ul class="letters">
        {letters.map((letter) => (
          <Row
            key={letter.id}
            letter={letter}
            {...(toggle && { isChosen: chosen?.has(letter.id) === true, toggle: () => toggle(letter.id) })}
          />
        ))}
      </ul>
    </section>
  );
}

function Row({ letter, isChosen, toggle }: { letter: Letter; isChosen?: boolean; toggle?: () => void }) {
  const { id, message, imageKey, requestId, attempts, lastAt, retrySentAt } = letter;
  return (
    <li>
      {toggle !== undefined && (
        <label class="check">
          <input
            type="checkbox"
            checked={isChosen === true}
            onChange={toggle}
            aria-label={`${t.select} ${number(id)}`}
          />
        </label>
      )}
      <Picture imageKey={imageKey} side={192} alt="" />
      <div>
        <p>
          <a href={`#/image/${encodeURIComponent(requestId)}`}>{imageKey ?? requestId}</a>
        </p>
        <p>{message}</p>
        <p class="quiet">
          {t.attempts(attempts)}
          {' · '}
          <time dateTime={lastAt}>{moment(lastAt)}</time>
          {retrySentAt !== null && ` · ${t.sentAgain} ${moment(retrySentAt)}`}
        </p>
      </div>
    </li>
  );
}
