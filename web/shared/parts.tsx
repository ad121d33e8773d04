/** Small parts of every view. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { texts } from '../texts.ts';
import { ApiError } from './api.ts';
import { age, percent } from './format.ts';
import { type Polled, useClock } from './hooks.ts';
import { type Judged, markOf } from './marks.ts';

/** What is known by now, or why nothing is. What could not be asked for again is greyed, and says how old it is. */
export function Answer<T>({ polled, fault, children }: AnswerProps<T>) {
  const { data, error } = polled;
  const isFault = error !== undefined && error.status !== 0;
  if (data === undefined) {
    if (error === undefined) return <Notice kind="loading">{texts.loading}</Notice>;
    if (!isFault) return <Notice kind="away">{texts.notKnown}</Notice>;
    if (fault !== undefined) return <>{fault}</>;
    return (
      <Notice kind="error" hint={error.hint}>
        {error.message}
      </Notice>
    );
  }
  return (
    <div class={`answer ${error === undefined ? '' : 'stale'}`}>
      {isFault && (fault ?? <Old polled={polled} error={error} />)}
      {children(data)}
    </div>
  );
}

interface AnswerProps<T> {
  polled: Polled<T>;
  /** Instead of what the server says is wrong. */
  fault?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

/** Each state that is not the usual one has its own look: nothing there, not yet there, failed, the server away. */
export function Notice({ kind, hint, children }: NoticeProps) {
  return (
    <div class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <p>{children}</p>
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}

interface NoticeProps {
  kind: 'empty' | 'loading' | 'error' | 'away';
  /** What to do. */
  hint?: ComponentChildren;
  children: ComponentChildren;
}

/** Says of what is still shown that it is old, and why. */
function Old({ polled: { at }, error }: { polled: Polled<unknown>; error: ApiError }) {
  return (
    <Notice kind="error" hint={error.hint}>
      <Ticking>{texts.old(age(useClock() - at))}</Ticking> {error.message}
    </Notice>
  );
}

/** Below the page while the server does not answer. */
export function Away({ polled: { error, at, data } }: { polled: Polled<unknown> }) {
  const now = useClock();
  if (error?.status !== 0) return null;
  return (
    <p class="away-bar" role="alert">
      {texts.lost} {data !== undefined && <Ticking>{texts.oldPage(age(now - at))}</Ticking>}
    </p>
  );
}

/** Changes every second: it is there to be read, and not told each time. */
export function Ticking({ children }: { children: ComponentChildren }) {
  return <span aria-live="off">{children}</span>;
}

/** Whether what is shown is of now. */
export function Freshness({ polled }: { polled: Polled<unknown> }) {
  const now = useClock();
  const { error, at, data } = polled;
  const isOld = error !== undefined || now - at > 15_000;
  if (data === undefined)
    return (
      <span class={`pill ${isOld ? 'bad' : ''}`} role="status">
        {error === undefined ? texts.loading : error.status === 0 ? texts.noAnswer : texts.error}
      </span>
    );
  return (
    <span class={`pill ${error?.status === 0 ? 'bad' : isOld ? 'warn' : 'ok'}`} role="status">
      {isOld ? <Ticking>{texts.stale(age(now - at))}</Ticking> : texts.live}
    </span>
  );
}

export function Bar({ share }: { share: number }) {
  return <meter class="bar" min={0} max={100} value={share} aria-label={percent(share)} />;
}

/** What a result deserves a look for, in words: not everybody tells colours apart. */
export function Mark({ result, words }: { result: Judged; words: Record<'unknown' | 'unsure', string> }) {
  const mark = markOf(result);
  if (mark === null) return null;
  return <span class={`pill ${mark === 'unknown' ? 'bad' : 'warn'}`}>{words[mark]}</span>;
}

/** A filter of the server's: only what is like no class. */
export function OnlyUnknown({ asked, text }: { asked: URLSearchParams; text: string }) {
  return (
    <label class="check">
      <input type="checkbox" name="unknown" value="true" defaultChecked={asked.get('unknown') === 'true'} />
      {text}
    </label>
  );
}

/** What the model says, the likeliest first. */
export function TopFive({ top }: { top: readonly { category: string; confidence: number }[] }) {
  return (
    <ol class="top">
      {top.map(({ category, confidence }) => (
        <li key={category}>
          <span>{category}</span>
          <span class="right">{percent(confidence)}</span>
          <Bar share={confidence} />
        </li>
      ))}
    </ol>
  );
}

/** What is wrong, below what it means; nothing where nothing is. */
export function Faults({ title, faults }: { title: string; faults: readonly string[] }) {
  if (faults.length === 0) return null;
  return (
    <>
      <p class="note bad">{title}</p>
      <ul class="change bad">
        {faults.map((fault) => (
          <li key={fault}>{fault}</li>
        ))}
      </ul>
    </>
  );
}

export function Tile({ name, value, unit, note, bad, old, wide }: TileProps) {
  const marks = Object.entries({ bad, old, wide }).flatMap(([mark, is]) => (is === true ? [mark] : []));
  return (
    <div class={['tile', ...marks].join(' ')}>
      <h3>{name}</h3>
      <p class="value">
        {value}
        {unit !== undefined && <small> {unit}</small>}
      </p>
      {note !== undefined && <p class="note">{note}</p>}
    </div>
  );
}

interface TileProps {
  name: string;
  value: ComponentChildren;
  unit?: string;
  note?: ComponentChildren;
  bad?: boolean;
  /** Not of now. */
  old?: boolean;
  /** It has more to say. */
  wide?: boolean;
}

/** Asks before something is done. */
export function Confirm({ question, action, cancel, onYes, danger, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const yes = useRef<HTMLButtonElement>(null);
  // The browser keeps the focus within, and gives it back where it was.
  useLayoutEffect(() => {
    const element = dialog.current!;
    element.showModal();
    yes.current!.focus();
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      role="alertdialog"
      aria-label={question}
      onCancel={(event) => {
        event.preventDefault();
        cancel();
      }}
    >
      <p>{question}</p>
      {children}
      <div class="row">
        <button type="button" onClick={cancel}>
          {texts.letters.cancel}
        </button>
        <button type="button" class={danger === true ? 'danger' : 'main'} onClick={onYes} ref={yes}>
          {action}
        </button>
      </div>
    </dialog>
  );
}

/** What the last action did, or why it failed. */
export function Told({ told }: { told: Said | undefined }) {
  if (told === undefined) return null;
  return (
    <p class={`verdict ${told.bad ? 'bad' : 'ok'}`} role="status">
      {told.text}
    </p>
  );
}

export interface Said {
  text: string;
  bad: boolean;
}

export function failed(error: unknown): Said {
  const text =
    error instanceof ApiError
      ? error.status === 0
        ? texts.lost
        : `${error.message} ${error.hint ?? ''}`
      : String(error);
  return { text, bad: true };
}

interface ConfirmProps {
  question: string;
  action: string;
  cancel: () => void;
  onYes: () => void;
  danger?: boolean;
  /** What there is to know before. */
  children?: ComponentChildren;
}
