/** Small parts of every view. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, picture } from './api.ts';
import { age, percent } from './format.ts';
import { type Polled, useClock } from './hooks.ts';
import { texts } from './texts.ts';

/** What is known by now, or why nothing is. */
export function Answer<T>({
  polled,
  children,
}: {
  polled: Polled<T>;
  children: (data: T) => ComponentChildren;
}) {
  const { data, error } = polled;
  if (data !== undefined) return <>{children(data)}</>;
  if (error === undefined) return <p class="note loading">{texts.loading}</p>;
  return (
    <p class="note bad fault" role="alert">
      {error.status === 0 ? texts.lost : error.message}
      {error.hint !== undefined && <span class="hint">{error.hint}</span>}
    </p>
  );
}

/** Whether what is shown is of now. */
export function Freshness({ polled }: { polled: Polled<unknown> }) {
  const now = useClock();
  const { error, at, data } = polled;
  if (error !== undefined)
    return (
      <span class="pill bad" role="status">
        {data !== undefined ? texts.stale(age(now - at)) : error.status === 0 ? texts.lost : texts.noAnswer}
      </span>
    );
  return (
    <span class={`pill ${now - at > 15_000 ? 'warn' : 'ok'}`} role="status">
      {now - at > 15_000 ? texts.stale(age(now - at)) : texts.live}
    </span>
  );
}

/** Asked for with the token, which an `img` cannot send. */
export function Picture({ imageKey, side, alt }: { imageKey: string | null; side: 192 | 1024; alt: string }) {
  const [shown, setShown] = useState<{ url?: string; failed?: boolean }>({});
  useEffect(() => {
    if (imageKey === null) return setShown({ failed: true });
    const stop = new AbortController();
    let url: string | undefined;
    setShown({});
    picture(imageKey, side, stop.signal).then(
      (blob) => setShown({ url: (url = URL.createObjectURL(blob)) }),
      () => void (stop.signal.aborted ? undefined : setShown({ failed: true })),
    );
    return () => {
      stop.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [imageKey, side]);
  if (shown.url !== undefined) return <img class="picture" src={shown.url} alt={alt} />;
  return <span class="picture none">{shown.failed === true && texts.images.noPicture}</span>;
}

export function Bar({ share }: { share: number }) {
  return <meter class="bar" min={0} max={100} value={share} aria-label={percent(share)} />;
}

/** What the model says, the likeliest first. */
export function TopFive({ top }: { top: readonly { category: string; confidence: number }[] }) {
  return (
    <table class="top">
      <tbody>
        {top.map(({ category, confidence }) => (
          <tr key={category}>
            <th scope="row">{category}</th>
            <td>
              <Bar share={confidence} />
            </td>
            <td class="right">{percent(confidence)}</td>
          </tr>
        ))}
      </tbody>
    </table>
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
  useEffect(() => {
    const escape = (event: KeyboardEvent) => void (event.key === 'Escape' && cancel());
    addEventListener('keydown', escape);
    return () => removeEventListener('keydown', escape);
  }, [cancel]);
  return (
    <div class="veil">
      <div class="dialog" role="alertdialog" aria-modal="true" aria-label={question}>
        <p>{question}</p>
        {children}
        <div class="row">
          <button type="button" onClick={cancel}>
            {texts.letters.cancel}
          </button>
          <button type="button" class={danger === true ? 'danger' : 'main'} onClick={onYes} ref={focusOnce}>
            {action}
          </button>
        </div>
      </div>
    </div>
  );
}

/** Not again each time that what lies behind is drawn anew. */
function focusOnce(button: HTMLButtonElement | null): void {
  if (button !== null && !button.closest('.dialog')!.contains(document.activeElement)) button.focus();
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
