/** Labels what the model was unsure of, by keys; and how good the model is by that. */
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import type { LabelCount, Rights } from '../answers.ts';
import { ApiError, get, post } from '../api.ts';
import { percent } from '../format.ts';
import { type Place, usePoll } from '../hooks.ts';
import { type Correction, keyedLabels, Labelling, labelKeys, matching, type Unsure } from '../labelling.ts';
import { Picture } from '../parts.tsx';
import { texts } from '../texts.ts';
import { HowGood } from './accuracy.tsx';

const { label: t } = texts;

const filters = ['category', 'belt', 'below'] as const;
/** How often more images are asked for where there are few, in milliseconds. */
const everyMs = 5000;
/** Pixels that the pointer moves before it draws a rubber band. */
const bandFrom = 6;

export function Label({ place, rights }: { place: Place; rights: Rights | undefined }) {
  const query = asked(place.query).toString();
  return (
    <>
      <h1>{t.heading}</h1>
      <div class="labels">
        <div>
          <Search key={query} query={place.query} />
          <Sorting key={`${query} of`} query={query} mayAct={rights?.may.operate} />
        </div>
        <HowGood />
      </div>
    </>
  );
}

function asked(given: { get(name: string): unknown }): URLSearchParams {
  const found = new URLSearchParams();
  for (const name of [...filters, 'unknown']) {
    const value = given.get(name);
    if (typeof value === 'string' && value.trim() !== '') found.set(name, value.trim());
  }
  return found;
}

function Search({ query }: { query: URLSearchParams }) {
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    location.hash = `#/label?${asked(new FormData(event.currentTarget as HTMLFormElement))}`;
  };
  return (
    <form class="search" onSubmit={search} role="search">
      {filters.map((name) => (
        <label key={name}>
          {t[name]}
          <input
            name={name}
            defaultValue={query.get(name) ?? ''}
            inputMode={name === 'below' ? 'decimal' : 'text'}
          />
        </label>
      ))}
      <label class="check">
        <input type="checkbox" name="unknown" value="true" defaultChecked={query.get('unknown') === 'true'} />
        {t.unknown}
      </label>
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
  );
}

function useLabelling(query: string): Labelling {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const labelling = useMemo(
    () =>
      new Labelling(
        {
          unsure: async (limit) =>
            (await get<{ images: Unsure[] }>(`/v1/unsure?limit=${limit}&${query}`)).images,
          correct: async (corrections, isNew) =>
            (await post<{ corrections: Correction[] }>('/v1/corrections', { corrections, new: isNew }))
              .corrections,
          undo: async (corrections) => {
            const body = corrections.map(({ imageKey, label, former }) => ({ imageKey, label, former }));
            await post('/v1/corrections/undo', { corrections: body });
          },
        },
        () => redraw(undefined),
      ),
    [query],
  );
  const { isLow } = labelling;
  useEffect(() => {
    if (!isLow) return;
    const look = () => void (document.hidden ? undefined : labelling.fetch());
    look();
    const timer = setInterval(look, everyMs);
    return () => clearInterval(timer);
  }, [labelling, isLow]);
  return labelling;
}

function why(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  return error.status === 0 ? texts.lost : `${error.message} ${error.hint ?? ''}`;
}

function Sorting({ query, mayAct }: { query: string; mayAct: boolean | undefined }) {
  const labelling = useLabelling(query);
  const { images, error, fault, selected, cursor, done, pending } = labelling;
  const labels = usePoll<{ labels: LabelCount[] }>('/v1/labels', 60_000);
  const region = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLUListElement>(null);
  const finder = useRef<HTMLInputElement>(null);
  const keyed = useKeyed(labels.data?.labels, images);
  const [added, setAdded] = useState<readonly string[]>([]);
  const known = useMemo(
    () => new Set([...(labels.data?.labels.map(({ label }) => label) ?? []), ...added]),
    [labels.data, added],
  );
  const isKnown = (label: string) => known.has(label);
  const give = (label: string) => {
    if (!isKnown(label)) setAdded([...added, label]);
    if (keyed.length < labelKeys.length && !keyed.includes(label)) keyed.push(label);
    labelling.apply(() => label, isKnown);
    grid.current?.focus({ preventScroll: true });
  };
  const confirm = () => labelling.apply(({ category }) => category, isKnown);
  const key = (event: KeyboardEvent) => {
    const act = actionOf(event);
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  const actionOf = ({ key, ctrlKey, metaKey, altKey, shiftKey, target }: KeyboardEvent) => {
    if (images === undefined || altKey || !isFor(target as HTMLElement, region.current)) return undefined;
    if (ctrlKey || metaKey) {
      if (key === 'z') return () => labelling.undo();
      return key === 'a' ? () => labelling.selectAll() : undefined;
    }
    if ((key === 'Enter' || key === ' ') && target instanceof HTMLButtonElement) return undefined;
    const by = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns(grid.current),
      ArrowDown: columns(grid.current),
    }[key];
    if (by !== undefined) return () => labelling.move(by, shiftKey);
    if (key === ' ') return () => labelling.toggle();
    if (key === 'a') return () => labelling.selectAll();
    if (key === 'u') return () => labelling.undo();
    if (key === 'Escape') return () => labelling.select([]);
    if (key === 'Enter') return confirm;
    if (key === '/') return () => finder.current?.focus();
    const label = keyed[labelKeys.indexOf(key)];
    return label === undefined ? undefined : () => give(label);
  };
  // The newest: keys come faster than effects run.
  const newest = useRef(key);
  newest.current = key;
  useEffect(() => {
    if (mayAct !== true) return;
    const listen = (event: KeyboardEvent) => newest.current(event);
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [mayAct]);
  useEffect(() => {
    grid.current?.children[cursor]?.scrollIntoView({ block: 'nearest' });
  }, [cursor]);

  if (images === undefined)
    return error === undefined ? (
      <p class="note">{texts.loading}</p>
    ) : (
      <p class="note bad" role="alert">
        {why(error)}
      </p>
    );
  return (
    <div ref={region}>
      {mayAct === true && (
        <div class="strip">
          <div class="row keys" role="group" aria-label={t.labels}>
            {keyed.map((label, n) => (
              <button
                key={label}
                type="button"
                onClick={() => give(label)}
                title={label}
                aria-keyshortcuts={labelKeys[n]}
              >
                <kbd>{labelKeys[n]}</kbd> {label}
              </button>
            ))}
          </div>
          <div class="row">
            <button type="button" class="main" onClick={confirm} disabled={images.length === 0}>
              <kbd>↵</kbd> {t.confirm}
            </button>
            <button type="button" onClick={() => labelling.selectAll()} disabled={images.length === 0}>
              <kbd>a</kbd> {t.all}
            </button>
            <button type="button" onClick={() => labelling.undo()} disabled={!labelling.canUndo}>
              <kbd>u</kbd> {t.undo}
            </button>
            <Finder labels={[...known]} give={give} input={finder} leave={() => grid.current?.focus()} />
            <span class="quiet" role="status">
              {t.done(done)}
              {selected.size > 0 && ` · ${t.chosen(selected.size)}`}
              {pending > 0 && ` · ${t.pending(pending)}`}
            </span>
          </div>
        </div>
      )}
      {mayAct === false && <p class="note act">{texts.readOnlyWhy}</p>}
      {fault !== undefined && (
        <p class="verdict bad" role="alert">
          {t.failed(why(fault))}
        </p>
      )}
      {error !== undefined && (
        <p class="note bad" role="alert">
          {why(error)}
        </p>
      )}
      {images.length === 0 ? (
        <p class="note">{query === '' ? t.none : t.noMatch}</p>
      ) : (
        <Grid labelling={labelling} images={images} list={grid} mayAct={mayAct === true} />
      )}
      {mayAct === true && images.length > 0 && <p class="note help">{t.help}</p>}
    </div>
  );
}

/** Keys stay with their labels while the view is open; new labels are added behind. */
function useKeyed(
  labels: readonly LabelCount[] | undefined,
  images: readonly Unsure[] | undefined,
): string[] {
  const keyed = useRef<string[] | undefined>(undefined);
  if (labels === undefined || images === undefined) return [];
  return (keyed.current ??= keyedLabels(labels, images));
}

/** Keys that are pressed elsewhere on the page, or in a field, are not for us. */
function isFor(target: HTMLElement, region: HTMLElement | null): boolean {
  if (target.matches('input, select, textarea')) return false;
  return target === document.body || region?.contains(target) === true;
}

function columns(list: HTMLElement | null): number {
  const items = [...(list?.children ?? [])] as HTMLElement[];
  const second = items.findIndex(({ offsetTop }) => offsetTop > items[0]!.offsetTop);
  return second === -1 ? items.length : second;
}

interface FinderProps {
  labels: readonly string[];
  give: (label: string) => void;
  input: { current: HTMLInputElement | null };
  leave: () => void;
}

function Finder({ labels, give, input, leave }: FinderProps) {
  const [text, setText] = useState('');
  const found = matching(labels, text, 8);
  const typed = text.trim();
  const isNew = typed !== '' && !labels.includes(typed);
  const choose = (label: string) => {
    setText('');
    give(label);
  };
  return (
    <span class="finder">
      <input
        ref={input}
        value={text}
        placeholder={t.findKey}
        aria-label={t.find}
        autocomplete="off"
        maxLength={500}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            setText('');
            leave();
          }
          // What is in the field now: it may not have been drawn yet.
          const now = event.currentTarget.value.trim();
          if (event.key === 'Enter' && now !== '') choose(matching(labels, now, 1)[0] ?? now);
        }}
      />
      {(found.length > 0 || isNew) && (
        <ul class="matches">
          {found.map((label) => (
            <li key={label}>
              <button type="button" onClick={() => choose(label)}>
                {label}
              </button>
            </li>
          ))}
          {isNew && (
            <li>
              <button type="button" onClick={() => choose(typed)}>
                {t.newClass(typed)}
              </button>
            </li>
          )}
        </ul>
      )}
    </span>
  );
}

interface GridProps {
  labelling: Labelling;
  images: Unsure[];
  list: { current: HTMLUListElement | null };
  mayAct: boolean;
}

function Grid({ labelling, images, list, mayAct }: GridProps) {
  const { selected, cursor } = labelling;
  const band = useRef<HTMLDivElement>(null);
  const drawn = useRef(false);

  const begin = (down: PointerEvent) => {
    drawn.current = false;
    if (down.button !== 0 || down.pointerType === 'touch') return;
    const items = list.current!;
    const former = down.shiftKey || down.ctrlKey || down.metaKey ? [...selected] : [];
    const [x, y] = [down.pageX, down.pageY];
    const move = (event: PointerEvent) => {
      const width = Math.abs(event.pageX - x);
      const height = Math.abs(event.pageY - y);
      if (!drawn.current && width + height < bandFrom) return;
      drawn.current = true;
      const left = Math.min(x, event.pageX) - scrollX;
      const top = Math.min(y, event.pageY) - scrollY;
      const { style } = band.current!;
      band.current!.hidden = false;
      for (const [name, value] of Object.entries({ left, top, width, height }))
        style.setProperty(name, `${value}px`);
      const within = [...items.children].flatMap((item, n) => {
        const box = item.getBoundingClientRect();
        const isIn =
          box.left < left + width && box.right > left && box.top < top + height && box.bottom > top;
        return isIn ? [labelling.images![n]!.imageKey] : [];
      });
      labelling.select([...former, ...within]);
    };
    const end = () => {
      band.current!.hidden = true;
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
  };
  const click = (event: MouseEvent & { pointerType?: string }, index: number) => {
    if (drawn.current) return; // the end of a rubber band
    const toggle = event.ctrlKey || event.metaKey || event.pointerType === 'touch';
    labelling.click(index, { shift: event.shiftKey, toggle });
  };
  return (
    <>
      <ul
        ref={list}
        class={`grid ${mayAct ? 'choose' : ''}`}
        aria-label={t.grid}
        {...(mayAct && {
          role: 'listbox',
          'aria-multiselectable': true,
          'aria-activedescendant': `image-${cursor}`,
          tabIndex: 0,
          onPointerDown: begin,
          onDragStart: (event: Event) => event.preventDefault(),
        })}
      >
        {images.map((image, n) => {
          const { imageKey, category, confidence, novelty } = image;
          const isChosen = selected.has(imageKey);
          return (
            <li
              key={imageKey}
              id={`image-${n}`}
              class={`${isChosen ? 'chosen' : ''} ${mayAct && n === cursor ? 'cursor' : ''}`}
              title={imageKey}
              {...(mayAct && {
                role: 'option',
                'aria-selected': isChosen,
                onClick: (event: MouseEvent) => click(event, n),
              })}
            >
              <Picture imageKey={imageKey} side={192} alt="" />
              <span class="name">{category}</span>
              <span class="facts">{percent(confidence)}</span>
              {novelty !== null && novelty >= 1 && <span class="pill warn">{texts.images.unknown}</span>}
            </li>
          );
        })}
      </ul>
      <div ref={band} class="band" hidden />
    </>
  );
}
