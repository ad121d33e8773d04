/** Images of the viewer's own, and how they go through: sent, accepted, classified. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Rights } from '../shared/answers.ts';
import { Notice, TopFive } from '../shared/parts.tsx';
import { texts } from '../texts.ts';
import { countsOf, send, sendAgain, type Trial, useTrials } from './trials.ts';

const { tryIt: t } = texts;

/** At first, and more each time that more are asked for. */
const shownAtOnce = 50;

export function TryIt({ rights }: { rights: Rights | undefined }) {
  if (rights === undefined) return <Notice kind="loading">{texts.loading}</Notice>;
  return (
    <>
      <h1>{t.heading}</h1>
      {rights.may.write ? (
        <>
          <Choice />
          <Trials />
        </>
      ) : (
        <Notice kind="empty">{t.readOnly}</Notice>
      )}
    </>
  );
}

function Choice() {
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
      send([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', out);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', out);
      removeEventListener('drop', drop);
    };
  }, []);
  return (
    <div class={`drop ${isOver ? 'over' : ''}`}>
      <p>{t.drop}</p>
      <div class="row">
        <Choose name={t.choose} multiple />
        <Choose name={t.camera} capture />
      </div>
      <p class="note">{t.kept}</p>
    </div>
  );
}

function Trials() {
  const { trials, trouble } = useTrials();
  const [most, setMost] = useState(shownAtOnce);
  if (trials.length === 0) return null;
  const counts = countsOf(trials);
  const failed = trials.filter(({ failure }) => failure?.again === true);
  return (
    <>
      <div class="row below">
        <p role="status">
          {t.counts(counts)}
          {counts.waiting > 0 && <span class="hint">{t.keepOpen}</span>}
        </p>
        {failed.length > 1 && (
          <button type="button" onClick={() => sendAgain(failed)}>
            {t.allAgain(failed.length)}
          </button>
        )}
      </div>
      {trouble !== undefined && (
        <p class="note bad" role="alert">
          {trouble}
        </p>
      )}
      <ul class="trials">
        {trials.slice(0, most).map((trial) => (
          <Row key={trial.n} trial={trial} />
        ))}
      </ul>
      {trials.length > most && (
        <button type="button" class="more" onClick={() => setMost(most + shownAtOnce)}>
          {t.more(trials.length - most)}
        </button>
      )}
    </>
  );
}

interface ChooseProps {
  name: string;
  multiple?: boolean;
  capture?: boolean;
}

function Choose({ name, multiple = false, capture = false }: ChooseProps) {
  return (
    <label class={`button file ${capture ? 'camera' : ''}`}>
      {name}
      <input
        type="file"
        accept="image/*"
        multiple={multiple}
        {...(capture && { capture: 'environment' })}
        onChange={(event) => {
          send([...(event.currentTarget.files ?? [])]);
          // The same file may be chosen again.
          event.currentTarget.value = '';
        }}
      />
    </label>
  );
}

function Row({ trial }: { trial: Trial }) {
  const { file, state, id, result, failure } = trial;
  return (
    <li class={state}>
      <LocalPicture file={file} />
      <div>
        <p>
          <strong>{breakable(file.name)}</strong>{' '}
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
          <button type="button" onClick={() => sendAgain([trial])}>
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

/** Names of files have no spaces where a line could end. */
function breakable(name: string): ComponentChildren {
  return name.split(/(?<=[_.-])(?=[^_.-])/).map((part, n) => [n > 0 && <wbr />, part]);
}

/** What the browser cannot draw may still be classified. */
function LocalPicture({ file }: { file: File }) {
  const [url, setUrl] = useState<string>();
  const [isBad, setBad] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  if (isBad) return <span class="picture none">{texts.images.noPicture}</span>;
  return <img class="picture" src={url} alt="" onError={() => setBad(true)} />;
}
