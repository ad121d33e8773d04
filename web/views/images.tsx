/** Results as pictures, the latest first, by what is asked for. */
import { useEffect, useState } from 'preact/hooks';
import type { Result, ResultPage } from '../answers.ts';
import { get } from '../api.ts';
import { moment, percent } from '../format.ts';
import { type Place, usePoll } from '../hooks.ts';
import { Answer, Picture } from '../parts.tsx';
import { texts } from '../texts.ts';

const { images: t } = texts;

const filters = ['key', 'category', 'bin', 'belt', 'model', 'below', 'since'] as const;

export function Images({ place }: { place: Place }) {
  const asked = new URLSearchParams(filters.flatMap((name) => pair(name, place.query.get(name))));
  const query = asked.toString();
  const first = usePoll<ResultPage>(`/v1/results?limit=48&${query}`, 3000);
  const [older, setOlder] = useState<{ query: string; pages: ResultPage[] }>({ query, pages: [] });
  const pages = older.query === query ? older.pages : [];
  // What was looked further back for stays as it was.
  const [fixed, setFixed] = useState<ResultPage>();
  useEffect(() => setFixed(undefined), [query]);
  const more = async (shown: ResultPage) => {
    setFixed((former) => former ?? shown);
    const next = (pages.at(-1) ?? fixed ?? shown).next;
    if (next === null) return;
    const page = await get<ResultPage>(`/v1/results?limit=48&${query}&cursor=${encodeURIComponent(next)}`);
    setOlder({ query, pages: [...pages, page] });
  };
  return (
    <>
      <h1>{t.heading}</h1>
      <Search asked={asked} />
      <Answer polled={first}>
        {(latest) => {
          const all = [fixed ?? latest, ...pages];
          const results = all.flatMap((page) => page.results);
          if (results.length === 0) return <p class="note">{query === '' ? t.none : t.noMatch}</p>;
          return (
            <>
              <ul class="grid">
                {results.map((result) => (
                  <Card key={result.id} result={result} />
                ))}
              </ul>
              {all.at(-1)!.next !== null && (
                <button type="button" class="more" onClick={() => void more(latest)}>
                  {t.more}
                </button>
              )}
            </>
          );
        }}
      </Answer>
    </>
  );
}

function pair(name: string, value: string | null): [string, string][] {
  return value === null || value.trim() === '' ? [] : [[name, value.trim()]];
}

function Search({ asked }: { asked: URLSearchParams }) {
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const query = new URLSearchParams(filters.flatMap((name) => pair(name, form.get(name) as string | null)));
    location.hash = `#/images?${query}`;
  };
  return (
    <form class="search" key={asked.toString()} onSubmit={search} role="search">
      {filters.map((name) => (
        <label key={name}>
          {t[name]}
          <input
            name={name}
            defaultValue={asked.get(name) ?? ''}
            placeholder={name === 'since' ? t.sinceHint : ''}
            inputMode={name === 'below' ? 'decimal' : 'text'}
          />
        </label>
      ))}
      <div class="row">
        <button type="submit" class="main">
          {t.search}
        </button>
        {asked.size > 0 && (
          <a class="button" href="#/images">
            {t.clear}
          </a>
        )}
      </div>
    </form>
  );
}

function Card({ result }: { result: Result }) {
  const { id, imageKey, category, confidence, bin, processedAt, novelty } = result;
  const isUnknown = typeof novelty === 'number' && novelty >= 1;
  return (
    <li class={isUnknown ? 'unknown' : ''}>
      <a href={`#/image/${encodeURIComponent(id)}`}>
        <Picture imageKey={imageKey} side={192} alt="" />
        <span class="name">{category}</span>
        <span class="facts">
          <span>{percent(confidence)}</span>
          {bin !== null && <span>→ {bin}</span>}
          <time dateTime={processedAt}>{moment(processedAt)}</time>
        </span>
        {isUnknown && <span class="pill warn">{t.unknown}</span>}
      </a>
    </li>
  );
}
