/** Results as pictures, the latest first, by what is asked for. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LabelCount, Result, ResultPage } from '../shared/answers.ts';
import { ApiError, get } from '../shared/api.ts';
import { moment, percent } from '../shared/format.ts';
import { type Place, usePoll } from '../shared/hooks.ts';
import { markOf } from '../shared/marks.ts';
import { Answer, failed, Notice, Mark } from '../shared/parts.tsx';
import { Picture } from '../shared/picture.tsx';
import { keep, useLeftPlace, whatWasKept } from '../shared/way-back.ts';
import { texts } from '../texts.ts';
import { addressWith, askedOf } from './query.ts';
import { Search } from './search.tsx';

const { images: t } = texts;

/** How often what came meanwhile is asked for, in milliseconds: a search looks through many more results. */
const everyMs = { latest: 3000, search: 10_000 };
const labelsMs = 60_000;
/** Categories that are proposed at most. */
const mostSimilar = 20;
/** Times that one press of a button looks further back, where nothing is found. */
const mostLooks = 20;

export function Images({ place }: { place: Place }) {
  const asked = askedOf(place.query);
  const query = asked.toString();
  return (
    <>
      <h1>{t.heading}</h1>
      <Search key={query} asked={asked} />
      <Found key={`${query} found`} query={query} />
    </>
  );
}

function Found({ query }: { query: string }) {
  const path = `/v1/results?limit=48&${query}`;
  const first = usePoll<ResultPage>(path, query === '' ? everyMs.latest : everyMs.search);
  const { pages, more, isLooking, fault } = useOlder(path);
  useLeftPlace(first.data !== undefined);
  const tooSlow = (
    <p class="note bad" role="alert">
      {t.tooLong}
    </p>
  );
  if (first.data === undefined && isTooSlow(first.error)) return tooSlow;
  return (
    <Answer polled={first}>
      {(latest) => {
        // What was looked further back for stays as it was.
        const all = pages.length > 0 ? pages : [latest];
        const results = all.flatMap((page) => page.results);
        const { next, lookedBackTo } = all.at(-1)!;
        const end = lookedBackTo === null ? null : moment(lookedBackTo);
        return (
          <>
            {results.length > 0 && (
              <ul class="grid">
                {results.map((result) => (
                  <Card key={result.id} result={result} />
                ))}
              </ul>
            )}
            {end !== null ? (
              <p class="note looked" role="status">
                {isLooking ? t.looking(end) : t.looked(end)}
              </p>
            ) : (
              results.length === 0 && <Nothing query={query} />
            )}
            {isTooSlow(fault)
              ? tooSlow
              : fault !== undefined && (
                  <p class="note bad" role="alert">
                    {failed(fault).text}
                  </p>
                )}
            {next !== null && (
              <button type="button" class="more" disabled={isLooking} onClick={() => void more(latest)}>
                {end === null ? t.more : t.further}
              </button>
            )}
          </>
        );
      }}
    </Answer>
  );
}

function Nothing({ query }: { query: string }) {
  const asked = new URLSearchParams(query);
  const typed = asked.get('category');
  const labels = usePoll<{ labels: LabelCount[] }>(typed === null ? null : '/v1/labels', labelsMs);
  const similar = typed === null ? [] : similarOf(typed, labels.data?.labels ?? []);
  const none = query === '' ? t.none : t.noMatch;
  if (similar.length === 0) return <Notice kind="empty">{none}</Notice>;
  return (
    <>
      <Notice kind="empty" hint={t.similar(typed!, similar.length)}>
        {none}
      </Notice>
      <ul class="row chips below" aria-label={t.similar(typed!, similar.length)}>
        {similar.slice(0, mostSimilar).map((category) => (
          <li key={category}>
            <a class="chip" href={addressWith(asked, 'category', category)}>
              {category}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Categories of which a part was typed; none where it is one itself. */
function similarOf(typed: string, labels: readonly LabelCount[]): string[] {
  if (labels.some(({ label }) => label === typed)) return [];
  const part = typed.toLowerCase();
  return labels.map(({ label }) => label).filter((label) => label.toLowerCase().includes(part));
}

/** Pages from the first on, once more than that one were asked for. */
function useOlder(path: string) {
  const [pages, setPages] = useState(() => keptPages(path));
  const [isLooking, setLooking] = useState(false);
  const [fault, setFault] = useState<unknown>();
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const more = async (latest: ResultPage) => {
    const { signal } = stop.current;
    let all = pages.length > 0 ? pages : [latest];
    setLooking(true);
    setFault(undefined);
    try {
      for (let looks = 0; looks < mostLooks; looks++) {
        const { next } = all.at(-1)!;
        if (next === null) break;
        const page = await get<ResultPage>(`${path}&cursor=${encodeURIComponent(next)}`, signal);
        setPages((all = [...all, page]));
        keep({ path, pages: all });
        if (page.results.length > 0) break;
      }
    } catch (error) {
      if (signal.aborted) return;
      setFault(error);
    }
    setLooking(false);
  };
  return { pages, more, isLooking, fault };
}

/** What was looked further back for, before one went to an image and came back. */
function keptPages(path: string): readonly ResultPage[] {
  const kept = whatWasKept() as { path: string; pages: readonly ResultPage[] } | undefined;
  return kept?.path === path ? kept.pages : [];
}

function isTooSlow(error: unknown): boolean {
  return (
    error instanceof ApiError && (error.body as { code?: string } | undefined)?.code === 'database_timeout'
  );
}

function Card({ result }: { result: Result }) {
  const { id, imageKey, category, confidence, bin, processedAt } = result;
  const mark = markOf(result);
  return (
    <li class={mark ?? ''}>
      <a href={`#/image/${encodeURIComponent(id)}`}>
        <Picture imageKey={imageKey} side={192} alt="" />
        <span class="name">{category}</span>
        <span class="facts">
          <span>{percent(confidence)}</span>
          {bin !== null && <span>→ {bin}</span>}
          <time dateTime={processedAt}>{moment(processedAt)}</time>
        </span>
        <Mark result={result} words={texts.image.marks} />
      </a>
    </li>
  );
}
