/** One image: its picture, what the model and people say, where it went, how long that took, and how it failed. */
import type { ComponentChildren } from 'preact';
import type { Image as Found, Letter, Result, Rights } from '../shared/answers.ts';
import { fraction, fullMoment, milliseconds, number } from '../shared/format.ts';
import { views } from '../shared/header.tsx';
import { type Polled, usePoll } from '../shared/hooks.ts';
import { useLetterActions } from '../shared/letter-actions.tsx';
import { markOf } from '../shared/marks.ts';
import { Answer, Notice, Told, TopFive, Mark } from '../shared/parts.tsx';
import { Picture } from '../shared/picture.tsx';
import { cameFrom, goBackTo } from '../shared/way-back.ts';
import { texts } from '../texts.ts';
import { TimeSpent } from './timeline.tsx';

const { image: t } = texts;

export function ImagePage({ id, rights }: { id: string; rights: Rights | undefined }) {
  const polled = usePoll<Found>(`/v1/images/${encodeURIComponent(id)}`, 5000);
  return (
    <>
      <nav class="row around" aria-label={t.around}>
        <Back />
        <span class="end">
          <Neighbour id={polled.data?.previous} name={t.earlier} />
          <Neighbour id={polled.data?.next} name={t.later} />
        </span>
      </nav>
      <h1>{t.heading}</h1>
      {polled.error?.status === 404 ? (
        <Notice kind="empty">{t.missing}</Notice>
      ) : (
        <Answer polled={polled}>
          {(found) => <All id={id} found={found} rights={rights} polled={polled} />}
        </Answer>
      )}
    </>
  );
}

/** To where one came from, over the neighbours that were looked at meanwhile. */
function Back() {
  const from = cameFrom();
  if (from === undefined) return <a href="#/images">← {t.back}</a>;
  const shown = from.hash.replace(/^#\/?|\?.*/g, '');
  const { name } = views.find(({ view }) => view === shown) ?? views[0]!;
  return (
    <a
      href={from.hash === '' ? '#/' : from.hash}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        goBackTo(from);
      }}
    >
      ← {t.backTo(name)}
    </a>
  );
}

function Neighbour({ id, name }: { id: string | null | undefined; name: string }) {
  if (typeof id !== 'string') return null;
  return (
    <a class="button" href={addressOf(id)}>
      {name}
    </a>
  );
}

function addressOf(id: string): string {
  return `#/image/${encodeURIComponent(id)}`;
}

interface AllProps {
  id: string;
  found: Found;
  rights: Rights | undefined;
  polled: Polled<Found>;
}

function All({ id, found, rights, polled }: AllProps) {
  const { status, imageKey, result, failure, stages, deadLetter, message, correction } = found;
  return (
    <div class="one">
      <Picture imageKey={imageKey} side={1024} alt={result?.category ?? ''} />
      <div>
        {status === 'pending' && <p class="note">{t.pending}</p>}
        {failure !== null && (
          <p class="verdict bad">
            {t.failed}: {failure.message} ({failure.code})
          </p>
        )}
        {result !== null && <Says result={result} correction={correction} />}
        {deadLetter !== null && (
          <DeadLetter letter={deadLetter} mayAct={rights?.may.operate} again={polled.again} />
        )}
        <h2>{t.details}</h2>
        <dl>
          {imageKey !== null && (
            <Fact name={t.key}>
              {imageKey} <a href={searchFor('key', imageKey)}>{t.sameKey}</a>
            </Fact>
          )}
          <Fact name={t.request}>{id}</Fact>
          {result !== null && <Facts result={result} />}
          {message !== null && <Fact name={t.message}>{t.place(message)}</Fact>}
        </dl>
      </div>
      {result !== null && stages !== null && <TimeSpent result={result} stages={stages} />}
    </div>
  );
}

function searchFor(name: 'key' | 'belt' | 'consumer', value: string): string {
  return `#/images?${new URLSearchParams({ [name]: value })}`;
}

function Says({ result, correction }: { result: Result; correction: Found['correction'] }) {
  return (
    <>
      <h2>{t.top}</h2>
      {markOf(result) !== null && (
        <p class="mark">
          <Mark result={result} words={t.marks} />
        </p>
      )}
      <TopFive top={result.top} />
      {correction !== null && (
        <p class={`verdict said ${correction.label === result.category ? 'ok' : 'bad'}`}>
          {correction.label === result.category ? t.confirmed : t.corrected(correction.label)}
          <span class="hint">{t.who(correction.by, fullMoment(correction.at))}</span>
        </p>
      )}
    </>
  );
}

function Facts({ result }: { result: Result }) {
  const { bin, binReason, binVersion, capturedAt, processedAt, latencyMs, belt, model, hostname, novelty } =
    result;
  const why = binReason === null ? '' : ` (${t.reasons[binReason] ?? binReason})`;
  return (
    <>
      <Fact name={t.bin}>
        {bin === null ? t.noBin : `${bin}${why}, ${texts.now.version(binVersion ?? 0)}`}
      </Fact>
      {typeof novelty === 'number' && <Fact name={t.novelty}>{fraction(novelty)}</Fact>}
      {capturedAt !== null && <Fact name={t.captured}>{fullMoment(capturedAt)}</Fact>}
      <Fact name={t.recorded}>{fullMoment(processedAt)}</Fact>
      <Fact name={t.latency}>{milliseconds(latencyMs)}</Fact>
      {belt !== null && (
        <Fact name={t.belt}>
          <a href={searchFor('belt', belt)}>{belt}</a>
        </Fact>
      )}
      <Fact name={t.model}>
        <a href="#/models">
          {model.name} {model.version}
        </a>{' '}
        <span class="quiet">{model.digest.slice(0, shownOfDigest)}</span>
      </Fact>
      <Fact name={t.host}>
        <a href={searchFor('consumer', hostname)}>{hostname}</a>
      </Fact>
    </>
  );
}

/** `sha256:` and so many digits as tell one model from another. */
const shownOfDigest = 'sha256:'.length + 12;

interface DeadLetterProps {
  letter: Letter;
  mayAct: boolean | undefined;
  again: () => void;
}

function DeadLetter({ letter, mayAct, again }: DeadLetterProps) {
  const { id, state, stage, code, message, attempts, firstAt, lastAt, retrySentAt, closedAt } = letter;
  const { ask, told, isBusy, dialog } = useLetterActions(again);
  return (
    <section class="letter" aria-label={t.letter}>
      <h2>
        {t.letter} <span class={`pill ${state === 'open' ? 'bad' : ''}`}>{t.states[state]}</span>
      </h2>
      <Told told={told} />
      <dl>
        <Fact name={t.cause}>
          {state === 'open' ? <a href={`#/dead-letters?code=${encodeURIComponent(code)}`}>{code}</a> : code}
          {state === 'resolved' && `: ${message}`}
        </Fact>
        <Fact name={t.failedAt}>{t.stages[stage] ?? stage}</Fact>
        <Fact name={t.attempts}>{number(attempts)}</Fact>
        <Fact name={t.first}>{fullMoment(firstAt)}</Fact>
        {attempts > 1 && <Fact name={t.last}>{fullMoment(lastAt)}</Fact>}
        {retrySentAt !== null && <Fact name={t.retried}>{fullMoment(retrySentAt)}</Fact>}
        {closedAt !== null && <Fact name={t.closed}>{fullMoment(closedAt)}</Fact>}
      </dl>
      {state === 'open' &&
        (mayAct === true ? (
          <div class="row below">
            <button type="button" class="main" disabled={isBusy} onClick={() => ask('retry', [id])}>
              {texts.letters.retry}
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => ask('drop', [id])}>
              {texts.letters.drop}
            </button>
          </div>
        ) : (
          <p class="note below">{texts.readOnlyWhy}</p>
        ))}
      {dialog}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
