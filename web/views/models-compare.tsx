/** Two models on the same images: which of them, how far it is, and what was found. */
import { useState } from 'preact/hooks';
import type { Comparison, Model } from '../answers.ts';
import { ApiError, post } from '../api.ts';
import { fullMoment } from '../format.ts';
import { usePoll } from '../hooks.ts';
import { Answer, failed, type Said, Told } from '../parts.tsx';
import { texts } from '../texts.ts';
import { Compared } from './models-compared.tsx';
import { nameOf } from './models-list.tsx';

const { compare: t } = texts.models;

const counts = [50, 100, 200, 500];

interface CompareProps {
  models: Model[];
  belts: string[];
  /** Of the comparison that the address names. */
  id: string | null;
  mayAct: boolean;
}

export function Compare({ models, belts, id, mayAct }: CompareProps) {
  if (id === null && (!mayAct || models.length < 2)) return null;
  return (
    <section>
      <h2>{t.heading}</h2>
      {mayAct && models.length > 1 && <Ask models={models} belts={belts} />}
      {id !== null && <Shown key={id} id={id} />}
    </section>
  );
}

function show(id: string): void {
  location.hash = `#/models?compare=${encodeURIComponent(id)}`;
}

/** First those in use and the latest of the others. */
function Ask({ models, belts }: Pick<CompareProps, 'models' | 'belts'>) {
  const used = models.find(({ usedBy }) => usedBy.includes(null)) ?? models.at(-1)!;
  const newest = models.find(({ digest }) => digest !== used.digest)!;
  const [first, setFirst] = useState(used.digest);
  const [second, setSecond] = useState(newest.digest);
  const [belt, setBelt] = useState('');
  const [images, setImages] = useState(100);
  const [isAsking, setAsking] = useState(false);
  const [told, setTold] = useState<Said>();
  const [running, setRunning] = useState<string>();
  const ask = async (event: SubmitEvent) => {
    event.preventDefault();
    setAsking(true);
    setTold(undefined);
    setRunning(undefined);
    try {
      const wanted = { models: [first, second], images, ...(belt !== '' && { belt }) };
      show((await post<Comparison>('/v1/models/compare', wanted)).id);
    } catch (error) {
      setTold(failed(error));
      if (error instanceof ApiError) setRunning((error.body as { comparison?: string })?.comparison);
    }
    setAsking(false);
  };
  const choice = (name: string, value: string, set: (digest: string) => void) => (
    <label class="wide">
      {name}
      <select value={value} onChange={({ currentTarget }) => set(currentTarget.value)}>
        {models.map((model) => (
          <option key={model.digest} value={model.digest}>
            {nameOf(model)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <p class="note act">{t.what}</p>
      <form class="search" onSubmit={(event) => void ask(event)}>
        {choice(t.first, first, setFirst)}
        {choice(t.second, second, setSecond)}
        <label>
          {t.belt}
          <select value={belt} onChange={({ currentTarget }) => setBelt(currentTarget.value)}>
            <option value="">{t.allBelts}</option>
            {belts.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t.most}
          <select value={images} onChange={({ currentTarget }) => setImages(Number(currentTarget.value))}>
            {counts.map((n) => (
              <option key={n} value={n}>
                {n}
              </option>
            ))}
          </select>
        </label>
        <div class="row">
          <button type="submit" class="main" disabled={isAsking || first === second}>
            {t.compare}
          </button>
        </div>
      </form>
      {first === second && <p class="note">{t.same}</p>}
      <Told told={told} />
      {running !== undefined && (
        <button type="button" onClick={() => show(running)}>
          {t.showRunning}
        </button>
      )}
    </>
  );
}

/** What is found does not change any more: it is asked for again only to know whether the server still has it. */
const everyMs = { running: 700, over: 60_000 };

function Shown({ id }: { id: string }) {
  const [isOver, setOver] = useState(false);
  const polled = usePoll<Comparison>(
    `/v1/models/compare/${encodeURIComponent(id)}`,
    isOver ? everyMs.over : everyMs.running,
  );
  const gone = polled.data === undefined && polled.error?.status === 404;
  if (!isOver && (gone || (polled.data !== undefined && polled.data.state !== 'running'))) setOver(true);
  return (
    <Answer polled={polled}>
      {(comparison) => {
        const { began, belt, models, progress, result, failure } = comparison;
        return (
          <div class="compared">
            <p class="quiet">
              {t.title(nameOf(models[0]!), nameOf(models[1]!), belt)} · {fullMoment(began)}
            </p>
            {failure !== null ? (
              <p class="verdict bad" role="alert">
                {t.failed(failure.detail)}
                {failure.hint !== undefined && <span class="hint">{failure.hint}</span>}
              </p>
            ) : result !== null ? (
              <Compared comparison={comparison} result={result} />
            ) : (
              <p>
                <label>
                  {t.stages[progress.stage](progress.done, progress.of)}
                  <progress value={progress.done} max={progress.of} />
                </label>
              </p>
            )}
          </div>
        );
      }}
    </Answer>
  );
}
