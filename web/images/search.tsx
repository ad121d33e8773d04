/** Asks what images to show, with known values to choose from; and what was asked for, to be taken away one by one. */
import { useState } from 'preact/hooks';
import type { Bins, LabelCount, Models, Status } from '../shared/answers.ts';
import { usePoll } from '../shared/hooks.ts';
import { OnlyUnknown } from '../shared/parts.tsx';
import { texts } from '../texts.ts';
import { addressOf, addressWithout, askedByForm, type Filter, isAgo, localOf, range, told } from './query.ts';

const { images: t } = texts;

/** How often values to choose from are asked for, in milliseconds. */
const everyMs = 60_000;

/** Not shown on a phone, where nobody has asked for them. */
const seldom = ['key', 'model', 'consumer', 'above', 'below', 'unknown'] as const;

function isWide(): boolean {
  return matchMedia('(min-width: 641px)').matches;
}

export function Search({ asked }: { asked: URLSearchParams }) {
  const known = useKnown();
  const [isAll, setAll] = useState(() => isWide() || seldom.some((name) => asked.has(name)));
  const field = (name: 'key' | 'category' | 'bin' | 'belt' | 'consumer' | 'model') => (
    <label>
      {t[name]}
      <input name={name} defaultValue={asked.get(name) ?? ''} list={`known-${name}`} autocomplete="off" />
      {known[name] !== undefined && (
        <datalist id={`known-${name}`}>
          {known[name].map((value) => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
    </label>
  );
  const confidence = (name: 'above' | 'below') => (
    <label>
      {t[name]}
      <input name={name} type="number" min={0} max={100} step="any" defaultValue={asked.get(name) ?? ''} />
    </label>
  );
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    location.hash = addressOf(askedByForm(new FormData(event.currentTarget as HTMLFormElement)));
  };
  return (
    <>
      <form class="search" onSubmit={search} role="search">
        {field('category')}
        {field('bin')}
        {field('belt')}
        <Time asked={asked} />
        {isAll && (
          <>
            {field('key')}
            {field('model')}
            {field('consumer')}
            {confidence('above')}
            {confidence('below')}
            <OnlyUnknown asked={asked} text={t.unknownOnly} />
          </>
        )}
        <div class="row">
          <button type="submit" class="main">
            {t.search}
          </button>
          {asked.size > 0 && (
            <a class="button" href={addressOf(new URLSearchParams())}>
              {t.clear}
            </a>
          )}
          {!isAll && (
            <button type="button" class="plain" onClick={() => setAll(true)}>
              {t.moreFilters}
            </button>
          )}
        </div>
      </form>
      <Asked asked={asked} />
    </>
  );
}

function Time({ asked }: { asked: URLSearchParams }) {
  const since = asked.get('since');
  const isRange = asked.has('until') || (since !== null && !isAgo(since));
  const [span, setSpan] = useState(isRange ? range : (since ?? ''));
  // A link may ask for another than the usual ones.
  const spans =
    since === null || isRange || since in t.spans ? t.spans : { ...t.spans, [since]: t.span(since) };
  return (
    <>
      <label>
        {t.time}
        <select name="span" value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
          <option value="">{t.anyTime}</option>
          {Object.entries(spans).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
          <option value={range}>{t.range}</option>
        </select>
      </label>
      {span === range &&
        (['since', 'until'] as const).map((name) => (
          <label key={name} class="when">
            {t[name]}
            <input name={name} type="datetime-local" defaultValue={localOf(asked.get(name))} />
          </label>
        ))}
    </>
  );
}

function Asked({ asked }: { asked: URLSearchParams }) {
  if (asked.size === 0) return null;
  return (
    <ul class="row chips" aria-label={t.asked}>
      {[...asked].map(([name, value]) => {
        const text = told(name as Filter, value);
        return (
          <li key={name}>
            <a class="chip" href={addressWithout(asked, name)} aria-label={t.remove(text)}>
              {text} <span aria-hidden="true">×</span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

/** Values that there are, where the server knows them. */
function useKnown(): Partial<Record<string, string[]>> {
  const labels = usePoll<{ labels: LabelCount[] }>('/v1/labels', everyMs).data?.labels;
  const bins = usePoll<Bins>('/v1/bins', everyMs).data?.rules;
  const models = usePoll<Models>('/v1/models', everyMs).data;
  const consumers = usePoll<Status>('/v1/status', everyMs).data?.consumers;
  return {
    ...(labels && { category: labels.map(({ label }) => label) }),
    ...(bins && { bin: unique([...bins.bins.map(({ bin }) => bin), bins.manual, bins.unknown]) }),
    ...(models && {
      belt: models.belts,
      model: models.models.map(({ name, version }) => `${name}@${version}`),
    }),
    ...(consumers && { consumer: unique(consumers.map(({ hostname }) => hostname)) }),
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
