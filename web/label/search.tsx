/** Which images are to be labelled, and in which order. */
import { useRef } from 'preact/hooks';
import type { Choices } from '../shared/answers.ts';
import { filtersOf } from '../shared/filters.ts';
import { OnlyUnknown } from '../shared/parts.tsx';
import { texts } from '../texts.ts';

const { label: t } = texts;

const names = ['category', 'belt', 'model', 'below', 'unknown', 'order', 'since'] as const;

/** What of an address or a form says so: as the server takes it. */
export function asked(given: { get(name: string): unknown }): URLSearchParams {
  return filtersOf(names, given);
}

/** Of all time: the server counts back from now. */
const everything = '36500d';

export function furtherBack(query: string): string {
  const wider = new URLSearchParams(query);
  wider.set('since', everything);
  return `#/label?${wider}`;
}

export function Search({ query, choices }: { query: URLSearchParams; choices: Choices | undefined }) {
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    location.hash = `#/label?${asked(new FormData(event.currentTarget as HTMLFormElement))}`;
  };
  const models = choices?.models.map(({ name, version }) => `${name}@${version}`) ?? [];
  const plain = (values: readonly string[]) => values.map((value) => [value, value] as const);
  // On a phone the images come first.
  const isOpen = useRef(asked(query).size > 0 || matchMedia('(min-width: 641px)').matches);
  return (
    <details class="which" open={isOpen.current}>
      <summary>{t.choose}</summary>
      <form class="search" onSubmit={search} role="search">
        <label>
          {t.category}
          <input
            name="category"
            list="known-labels"
            defaultValue={query.get('category') ?? ''}
            placeholder={t.every}
            autocomplete="off"
          />
          <datalist id="known-labels">
            {choices?.labels.map(({ label }) => (
              <option key={label} value={label} />
            ))}
          </datalist>
        </label>
        <Choice name="belt" query={query} options={plain(choices?.belts ?? [])} least={1} />
        <Choice name="model" query={query} options={plain(models)} least={2} />
        <label>
          {t.below}
          <input name="below" defaultValue={query.get('below') ?? ''} inputMode="decimal" />
        </label>
        <Choice name="order" query={query} options={Object.entries(t.orders)} />
        <Choice name="since" query={query} options={[...Object.entries(t.ages), [everything, t.allTime]]} />
        <OnlyUnknown asked={query} text={t.unknown} />
        <div class="row">
          <button type="submit" class="main">
            {t.search}
          </button>
          {asked(query).size > 0 && (
            <a class="button" href="#/label">
              {t.clear}
            </a>
          )}
        </div>
      </form>
    </details>
  );
}

interface ChoiceProps {
  name: 'belt' | 'model' | 'order' | 'since';
  query: URLSearchParams;
  /** Values with what they are called. */
  options: readonly (readonly [value: string, text: string])[];
  /** With fewer there is nothing to choose. */
  least?: number;
}

/** What the address asks for can be chosen even if it is not known. */
function Choice({ name, query, options, least = 0 }: ChoiceProps) {
  const chosen = query.get(name) ?? '';
  if (options.length < least && chosen === '') return null;
  const all = [['', t.defaults[name]] as const, ...options];
  if (!all.some(([value]) => value === chosen)) all.push([chosen, chosen]);
  return (
    <label>
      {t[name]}
      <select name={name}>
        {all.map(([value, text]) => (
          <option key={value} value={value} selected={value === chosen}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
