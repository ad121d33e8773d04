/** Requests that failed for good, by cause; retried or dropped. */
import { useState } from 'preact/hooks';
import type { Letter, LetterPage, Rights } from '../answers.ts';
import { ApiError, post } from '../api.ts';
import { moment, number } from '../format.ts';
import { type Place, usePoll } from '../hooks.ts';
import { Answer, Confirm, Picture } from '../parts.tsx';
import { texts } from '../texts.ts';

const { letters: t } = texts;

type Action = 'retry' | 'drop';

export function DeadLetters({ place, rights }: { place: Place; rights: Rights | undefined }) {
  const code = place.query.get('code');
  const [limit, setLimit] = useState(50);
  const only = code === null ? '' : `&code=${encodeURIComponent(code)}`;
  const polled = usePoll<LetterPage>(`/v1/dead-letters?limit=${limit}${only}`, 3000);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [asked, setAsked] = useState<Action>();
  const [told, setTold] = useState<{ text: string; bad: boolean }>();
  const mayAct = rights?.may.operate === true;

  const act = async (action: Action) => {
    setAsked(undefined);
    try {
      const answer = await post<{ retried?: number; dropped?: number }>(`/v1/dead-letters/${action}`, {
        ids: [...chosen],
      });
      setTold({
        text: action === 'retry' ? t.retried(answer.retried ?? 0) : t.dropped(answer.dropped ?? 0),
        bad: false,
      });
      setChosen(new Set());
    } catch (error) {
      setTold({
        text: error instanceof ApiError ? `${error.message} ${error.hint ?? ''}` : String(error),
        bad: true,
      });
    }
    polled.again();
  };
  const toggle = (id: number) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  return (
    <>
      <h1>{t.heading}</h1>
      {told !== undefined && (
        <p class={`verdict ${told.bad ? 'bad' : 'ok'}`} role="status">
          {told.text}
        </p>
      )}
      <Answer polled={polled}>
        {({ letters, open, next }) => {
          const total = Object.values(open).reduce((sum, n) => sum + n, 0);
          if (total === 0 && letters.length === 0) return <p class="note">{t.none}</p>;
          return (
            <>
              <nav class="row causes" aria-label={t.causes}>
                <a class="button" href="#/dead-letters" aria-current={code === null}>
                  {t.all(total)}
                </a>
                {Object.entries(open).map(([one, n]) => (
                  <a
                    key={one}
                    class="button"
                    href={`#/dead-letters?code=${encodeURIComponent(one)}`}
                    aria-current={code === one}
                  >
                    {t.byCode(one, n)}
                  </a>
                ))}
              </nav>
              {mayAct ? (
                <div class="row act">
                  <label class="check">
                    <input
                      type="checkbox"
                      checked={letters.length > 0 && letters.every(({ id }) => chosen.has(id))}
                      onChange={(event) =>
                        setChosen(new Set(event.currentTarget.checked ? letters.map(({ id }) => id) : []))
                      }
                    />
                    {t.selectAll}
                  </label>
                  <span class="quiet">{t.chosen(chosen.size)}</span>
                  <button
                    type="button"
                    class="main"
                    disabled={chosen.size === 0}
                    onClick={() => setAsked('retry')}
                  >
                    {t.retry}
                  </button>
                  <button
                    type="button"
                    class="danger"
                    disabled={chosen.size === 0}
                    onClick={() => setAsked('drop')}
                  >
                    {t.drop}
                  </button>
                </div>
              ) : (
                <p class="note">{texts.readOnlyWhy}</p>
              )}
              <ul class="letters">
                {letters.map((letter) => (
                  <Row
                    key={letter.id}
                    letter={letter}
                    {...(mayAct && { isChosen: chosen.has(letter.id), toggle: () => toggle(letter.id) })}
                  />
                ))}
              </ul>
              {next !== null && limit < 500 && (
                <button type="button" class="more" onClick={() => setLimit(Math.min(500, limit + 100))}>
                  {t.more}
                </button>
              )}
            </>
          );
        }}
      </Answer>
      {asked !== undefined && (
        <Confirm
          question={asked === 'retry' ? t.sureRetry(chosen.size) : t.sureDrop(chosen.size)}
          action={asked === 'retry' ? t.retry : t.drop}
          danger={asked === 'drop'}
          cancel={() => setAsked(undefined)}
          onYes={() => void act(asked)}
        />
      )}
    </>
  );
}

function Row({ letter, isChosen, toggle }: { letter: Letter; isChosen?: boolean; toggle?: () => void }) {
  const { id, code, message, imageKey, requestId, attempts, lastAt, retrySentAt } = letter;
  return (
    <li>
      {toggle !== undefined && (
        <input
          type="checkbox"
          checked={isChosen === true}
          onChange={toggle}
          aria-label={`${t.select} ${number(id)}`}
        />
      )}
      <Picture imageKey={imageKey} side={192} alt="" />
      <div>
        <p>
          <strong>{code}</strong> {message}
        </p>
        <p class="quiet">
          <a href={`#/image/${encodeURIComponent(requestId)}`}>{imageKey ?? requestId}</a>
          {' · '}
          {t.attempts(attempts)}
          {' · '}
          <time dateTime={lastAt}>{moment(lastAt)}</time>
          {retrySentAt !== null && ` · ${t.sentAgain} ${moment(retrySentAt)}`}
        </p>
      </div>
    </li>
  );
}
