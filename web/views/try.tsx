/** Images of the viewer's own, and how they go through: sent, accepted, classified. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Image, Result, Rights } from '../answers.ts';
import { ApiError, get, sendImage } from '../api.ts';
import { Notice, TopFive } from '../parts.tsx';
import { texts } from '../texts.ts';

const { tryIt: t } = texts;

const most = { sending: 4, shown: 50 };

interface Trial {
  n: number;
  file: File;
  url: string;
  /** Of the request, so that what is sent again counts once. */
  key: string;
  state: 'queued' | 'sending' | 'accepted' | 'done' | 'failed';
  id?: string;
  result?: Result;
  failure?: { text: string; hint?: string | undefined; again: boolean };
}

export function TryIt({ rights }: { rights: Rights | undefined }) {
  if (rights === undefined) return <Notice kind="loading">{texts.loading}</Notice>;
  return (
    <>
      <h1>{t.heading}</h1>
      {rights.may.write ? <Trials /> : <Notice kind="empty">{t.readOnly}</Notice>}
    </>
  );
}

function Trials() {
  const { trials, add, again } = useTrials();
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent) => {
      event.preventDefault();
      setOver(true);
    };
    const out = (event: DragEvent) => void (event.relatedTarget === null && setOver(false));
    const drop = (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      add([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', out);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', out);
      removeEventListener('drop', drop);
    };
  }, [add]);
  return (
    <>
      <div class={`drop ${isOver ? 'over' : ''}`}>
        <p>{t.drop}</p>
        <div class="row">
          <Choose name={t.choose} multiple add={add} />
          <Choose name={t.camera} capture add={add} />
        </div>
        <p class="note">{t.kept}</p>
      </div>
      <ul class="trials" aria-live="polite">
        {trials.map((trial) => (
          <Row key={trial.n} trial={trial} again={() => again(trial)} />
        ))}
      </ul>
    </>
  );
}

interface ChooseProps {
  name: string;
  multiple?: boolean;
  capture?: boolean;
  add: (files: File[]) => void;
}

function Choose({ name, multiple = false, capture = false, add }: ChooseProps) {
  return (
    <label class={`button file ${capture ? 'camera' : ''}`}>
      {name}
      <input
        type="file"
        accept="image/*"
        multiple={multiple}
        {...(capture && { capture: 'environment' })}
        onChange={(event) => {
          add([...(event.currentTarget.files ?? [])]);
          // The same file may be chosen again.
          event.currentTarget.value = '';
        }}
      />
    </label>
  );
}

function useTrials() {
  const [trials, setTrials] = useState<readonly Trial[]>([]);
  const kept = useRef<Trial[]>([]);
  const sending = useRef(0);
  const stop = useRef(new AbortController());

  const show = useCallback(() => setTrials([...kept.current]), []);
  const change = useCallback(
    (trial: Trial, news: Partial<Trial>) => {
      Object.assign(trial, news);
      kept.current = kept.current.map((one) => (one.n === trial.n ? trial : one));
      show();
    },
    [show],
  );
  const next = useCallback(() => {
    while (sending.current < most.sending) {
      const trial = kept.current.findLast(({ state }) => state === 'queued');
      if (trial === undefined) return;
      sending.current++;
      change(trial, { state: 'sending' });
      void goThrough(trial, (news) => change(trial, news), stop.current.signal).finally(() => {
        sending.current--;
        if (!stop.current.signal.aborted) next();
      });
    }
  }, [change]);
  const add = useCallback(
    (files: File[]) => {
      const added = files.slice(0, most.shown).map((file) => ({
        n: (count += 1),
        file,
        url: URL.createObjectURL(file),
        key: freshKey(),
        state: 'queued' as const,
      }));
      const all: Trial[] = [...added.toReversed(), ...kept.current];
      for (const { url } of all.slice(most.shown)) URL.revokeObjectURL(url);
      kept.current = all.slice(0, most.shown);
      show();
      next();
    },
    [next, show],
  );
  const again = useCallback(
    (trial: Trial) => {
      const { failure: _, ...rest } = trial;
      kept.current = kept.current.map((one) => (one === trial ? { ...rest, state: 'queued' } : one));
      show();
      next();
    },
    [next, show],
  );
  useEffect(() => {
    if (stop.current.signal.aborted) stop.current = new AbortController();
    return () => {
      stop.current.abort();
      for (const { url } of kept.current) URL.revokeObjectURL(url);
      kept.current = [];
    };
  }, []);
  return { trials, add, again };
}

let count = 0;

/** `crypto.randomUUID` is only there where the page came over TLS or from this machine. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, '0')).join('');
}

async function goThrough(
  { file, key }: Trial,
  tell: (news: Partial<Trial>) => void,
  over: AbortSignal,
): Promise<void> {
  try {
    const { id } = await sendImage(file, key);
    tell({ state: 'accepted', id });
    while (!over.aborted) {
      const { result, failure } = await get<Image>(`/v1/images/${encodeURIComponent(id)}?wait=10s`, over);
      if (result !== null) return tell({ state: 'done', result });
      if (failure !== null)
        return tell({
          state: 'failed',
          failure: { text: `${failure.message} (${failure.code})`, again: false },
        });
    }
  } catch (error) {
    if (over.aborted) return;
    const told = error instanceof ApiError ? error : new ApiError(400, t.unreadable);
    const again = told.status === 0 || told.status === 408 || told.status === 429 || told.status >= 500;
    const text = told.status === 0 ? t.noAnswer : told.message;
    tell({ state: 'failed', failure: { text, hint: told.hint, again } });
  }
}

function Row({ trial, again }: { trial: Trial; again: () => void }) {
  const { file, url, state, id, result, failure } = trial;
  return (
    <li class={state}>
      <LocalPicture url={url} />
      <div>
        <p>
          <strong>{file.name}</strong>{' '}
          <span class={`pill ${state === 'done' ? 'ok' : state === 'failed' ? 'bad' : ''}`}>
            {t.states[state]}
          </span>
        </p>
        {failure !== undefined && (
          <p class="note bad">
            {failure.text}
            {failure.hint !== undefined && <span class="hint">{failure.hint}</span>}
          </p>
        )}
        {failure?.again === true && (
          <button type="button" onClick={again}>
            {t.again}
          </button>
        )}
        {result !== undefined && <TopFive top={result.top} />}
        {id !== undefined && (
          <p class="quiet">
            {result?.bin && `→ ${result.bin} · `}
            <a href={`#/image/${encodeURIComponent(id)}`}>{t.all}</a>
          </p>
        )}
      </div>
    </li>
  );
}

/** What the browser cannot draw may still be classified. */
function LocalPicture({ url }: { url: string }) {
  const [isBad, setBad] = useState(false);
  if (isBad) return <span class="picture none">{texts.images.noPicture}</span>;
  return <img class="picture" src={url} alt="" onError={() => setBad(true)} />;
}
