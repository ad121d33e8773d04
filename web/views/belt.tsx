/** Results as they come: on a lane from which they drop into their bins, or the latest one in large type. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Bins as Rules, Result } from '../answers.ts';
import { drawnPicture } from '../drawn.ts';
import { age, moment, number, percent, rate } from '../format.ts';
import { type Place, useClock, usePoll } from '../hooks.ts';
import { Lane } from '../lane.ts';
import { follow, type StreamState, useStreamState } from '../stream.ts';
import { groupOf, markOf, rateOf, Tallies, type Tally } from '../tally.ts';
import { texts } from '../texts.ts';

const { belt: t } = texts;

/** Bins shown; others are counted together. */
const mostShown = 24;
/** Between two looks at the counts. */
const lookMs = 250;

export function Belt({ place }: { place: Place }) {
  const belt = place.query.get('belt');
  const isBig = place.query.get('big') !== null;
  const rules = usePoll<Rules>('/v1/bins', 10_000);
  const stream = useStreamState();
  const { tallies, began, latest } = useTallies(belt);
  const now = useClock();
  const known = useMemo(() => binsOf(rules.data), [rules.data]);
  const groups = shownGroups(tallies.of(belt), known);
  const all = [...tallies.of(belt).values()];
  const count = all.reduce((sum, tally) => sum + tally.count, 0);
  const aSecond = all.reduce((sum, tally) => sum + rateOf(tally, now), 0);
  return (
    <>
      <div class="row belt-head">
        <h1>{t.heading}</h1>
        <Connection stream={stream} />
        <span class="quiet">{t.since(number(count), moment(new Date(began).toISOString()))}</span>
        <span class="quiet">
          {rate(aSecond)} {texts.now.aSecond}
        </span>
        <span class="end">
          {tallies.belts.length > 0 && (
            <label class="check">
              {texts.images.belt}
              <select
                value={belt ?? ''}
                onChange={(event) => (location.hash = addressOf(event.currentTarget.value || null, isBig))}
              >
                <option value="">{t.all}</option>
                {[...new Set([...tallies.belts, ...(belt === null ? [] : [belt])])].map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          <button type="button" onClick={() => void enterBig(belt)}>
            {t.big}
          </button>
        </span>
      </div>
      {isBig ? (
        <Big belt={belt} latest={latest} stream={stream} leave={() => leaveBig(belt)} />
      ) : (
        <Running
          key={belt}
          belt={belt}
          groups={groups}
          all={count}
          known={known}
          hasCome={count > 0}
          now={now}
        />
      )}
    </>
  );
}

function addressOf(belt: string | null, isBig: boolean): string {
  const query = new URLSearchParams({ ...(belt !== null && { belt }), ...(isBig && { big: '1' }) });
  return `#/belt${query.size > 0 ? `?${query}` : ''}`;
}

async function enterBig(belt: string | null): Promise<void> {
  // Some screens cannot, or may not.
  await document.documentElement.requestFullscreen?.().catch(() => undefined);
  location.hash = addressOf(belt, true);
}

function leaveBig(belt: string | null): void {
  if (document.fullscreenElement !== null) void document.exitFullscreen().catch(() => undefined);
  location.hash = addressOf(belt, false);
}

/** Counts every result from the moment the view is opened, and shows them anew a few times a second. */
function useTallies(belt: string | null) {
  const [kept] = useState(() => ({ tallies: new Tallies<Result>(), began: Date.now() }));
  const [, show] = useState(0);
  const latest = useRef<Result>(undefined);
  useEffect(() => {
    latest.current = undefined;
    return follow((results) => {
      latest.current = results.findLast((result) => belt === null || result.belt === belt) ?? latest.current;
    });
  }, [belt]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let frame = 0;
    const leave = follow((results) => {
      const now = Date.now();
      for (const result of results) kept.tallies.add(result, now);
      timer ??= setTimeout(() => {
        frame = requestAnimationFrame(() => {
          timer = undefined;
          show((n) => n + 1);
        });
      }, lookMs);
    });
    return () => {
      leave();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, [kept]);
  return { ...kept, latest };
}

/** The bins of the rules, in their order, that of unknown objects and the manual one last. */
function binsOf(found: Rules | undefined): { names: string[]; manual: string | null } {
  const rules = found?.rules ?? null;
  if (rules === null) return { names: [], manual: null };
  const { bins, manual, unknown = manual } = rules;
  const named = bins.map(({ bin }) => bin).filter((bin) => bin !== manual && bin !== unknown);
  return { names: [...new Set([...named, unknown, manual])], manual };
}

type Known = ReturnType<typeof binsOf>;
type Group = { key: string; name: string; tally: Tally<Result> | undefined };

function shownGroups(tallies: ReadonlyMap<string, Tally<Result>>, { names }: Known): Group[] {
  const ofRules = names.map((name) => ({ key: `bin ${name}`, name, tally: tallies.get(`bin ${name}`) }));
  const keys = new Set(ofRules.map(({ key }) => key));
  const more = [...tallies].filter(([key]) => !keys.has(key));
  return [...ofRules, ...more.map(([key, tally]) => ({ key, name: tally.name, tally }))];
}

function Connection({ stream: { state, since, error } }: { stream: StreamState }) {
  const now = useClock();
  if (state === 'live')
    return (
      <span class="pill ok" role="status">
        {t.live}
      </span>
    );
  const gone = age(now - since);
  const why = error === undefined || error.status === 0 ? '' : `${error.message} ${error.hint ?? ''}`;
  return (
    <span class={`pill ${state === 'lost' ? 'bad' : ''}`} role="status">
      {state === 'lost' ? t.lost(gone, why) : texts.loading}
    </span>
  );
}

interface RunningProps {
  belt: string | null;
  groups: Group[];
  all: number;
  known: Known;
  hasCome: boolean;
  now: number;
}

function Running({ belt, groups, all, known, hasCome, now }: RunningProps) {
  const lane = useRef<HTMLDivElement>(null);
  const columns = useRef<HTMLUListElement>(null);
  const [landed, land] = useLanded();
  useEffect(() => {
    const running = new Lane(lane.current!, {
      target(result) {
        const key = CSS.escape(groupOf(result));
        const column = columns.current?.querySelector(`[data-group="${key}"]`);
        if (!column) return undefined;
        const [from, to] = [lane.current!.getBoundingClientRect(), column.getBoundingClientRect()];
        return { x: to.left + to.width / 2 - from.left, y: to.top - from.top };
      },
      landed: land,
    });
    const leave = follow((results) =>
      running.add(results.filter((one) => belt === null || one.belt === belt)),
    );
    return () => {
      leave();
      running.close();
    };
  }, [belt, land]);
  const shown = groups.slice(0, mostShown);
  const rest = groups.slice(mostShown).reduce((sum, { tally }) => sum + (tally?.count ?? 0), 0);
  return (
    <>
      <div class="lane" ref={lane} aria-hidden="true">
        {!hasCome && <p class="note">{t.none}</p>}
      </div>
      <h2>{known.manual === null ? t.byCategory : t.byBin}</h2>
      {groups.length === 0 && <p class="note">{t.none}</p>}
      <ul class="belt-bins" ref={columns}>
        {shown.map((group) => (
          <Column
            key={group.key}
            group={group}
            all={all}
            isManual={group.name === known.manual}
            landed={landed.get(group.key)}
            now={now}
          />
        ))}
        {groups.length > mostShown && (
          <li class="belt-bin">
            <h3>{t.others(groups.length - mostShown)}</h3>
            <p class="value">{number(rest)}</p>
          </li>
        )}
      </ul>
    </>
  );
}

interface Landed {
  result: Result;
  picture: HTMLCanvasElement | undefined;
}

/** The last tile of each bin; at most as many as bins are shown. */
function useLanded(): [ReadonlyMap<string, Landed>, Landing] {
  const [kept] = useState(() => new Map<string, Landed>());
  const [, show] = useState(0);
  const land = useCallback<Landing>(
    (result, picture) => {
      const key = groupOf(result);
      if (!kept.has(key) && kept.size >= mostShown) return;
      kept.set(key, { result, picture });
      show((n) => n + 1);
    },
    [kept],
  );
  return [kept, land];
}

type Landing = (result: Result, picture: HTMLCanvasElement | undefined) => void;

/** Holds a canvas that was drawn elsewhere. */
function Drawn({ picture, name }: { picture: HTMLCanvasElement | undefined; name: string }) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => frame.current!.replaceChildren(...(picture === undefined ? [] : [picture])), [picture]);
  return <div class={name} ref={frame} aria-hidden="true" />;
}

/** So much later came the latest of a bin: the one that was on the lane is the last no more. */
const oldMs = 15_000;

interface ColumnProps {
  group: Group;
  all: number;
  isManual: boolean;
  landed: Landed | undefined;
  now: number;
}

function Column({ group: { key, name, tally }, all, isManual, landed, now }: ColumnProps) {
  const count = tally?.count ?? 0;
  const isOld =
    landed !== undefined &&
    tally !== undefined &&
    Date.parse(tally.latest.processedAt) - Date.parse(landed.result.processedAt) > oldMs;
  const last = landed === undefined || isOld ? tally && { result: tally.latest, picture: undefined } : landed;
  const reasons = [...(tally?.reasons ?? [])].filter(([reason]) => reason !== 'mapped');
  return (
    <li class={`belt-bin ${isManual ? 'manual' : ''}`} data-group={key}>
      <h3>{name === '' ? t.more : name}</h3>
      <p class="value">{number(count)}</p>
      <p class="quiet">
        {rate(tally === undefined ? 0 : rateOf(tally, now))} {t.aSecond}
        {count > 0 && ` · ${percent((100 * count) / all)}`}
      </p>
      {reasons.length > 0 && (
        <ul class="belt-reasons">
          {reasons.map(([reason, n]) => (
            <li key={reason}>
              {number(n)} {texts.image.reasons[reason] ?? reason}
            </li>
          ))}
        </ul>
      )}
      {last !== undefined && <Last {...last} />}
    </li>
  );
}

function Last({ result, picture }: Landed) {
  const mark = markOf(result);
  return (
    <a class="belt-last" href={`#/image/${encodeURIComponent(result.id)}`}>
      <Drawn picture={picture} name="belt-picture" />
      <span>
        {result.category} <span class="quiet">{percent(result.confidence)}</span>{' '}
        {mark !== null && <Marked mark={mark} />}
      </span>
    </a>
  );
}

function Marked({ mark }: { mark: 'unknown' | 'unsure' }) {
  return <span class={`pill ${mark === 'unknown' ? 'bad' : 'warn'}`}>{t.marks[mark]}</span>;
}

/** For as long as an eye needs from five metres. */
const bigMs = 800;

interface BigProps {
  belt: string | null;
  latest: { readonly current: Result | undefined };
  stream: StreamState;
  leave: () => void;
}

function Big({ belt, latest, stream, leave }: BigProps) {
  const shown = useBig(latest);
  useEffect(() => {
    const key = (event: KeyboardEvent) => void (event.key === 'Escape' && leave());
    // In full screen the browser keeps that key for itself.
    const screen = () => void (document.fullscreenElement === null && leave());
    addEventListener('keydown', key);
    document.addEventListener('fullscreenchange', screen);
    return () => {
      removeEventListener('keydown', key);
      document.removeEventListener('fullscreenchange', screen);
    };
  }, [belt]);
  const mark = shown === undefined ? null : markOf(shown.result);
  return (
    <div class={`big ${mark ?? ''}`} role="dialog" aria-modal="true" aria-label={t.big}>
      <div class="row big-head">
        {belt !== null && <strong>{belt}</strong>}
        <Connection stream={stream} />
        <button type="button" onClick={leave} ref={useCallback((it: HTMLElement | null) => it?.focus(), [])}>
          {t.leave}
        </button>
      </div>
      {shown === undefined ? (
        <p class="big-name">{t.none}</p>
      ) : (
        <>
          <Drawn picture={shown.picture} name="big-picture" />
          <div class="big-text">
            <p class="big-name">{shown.result.category}</p>
            {shown.result.bin !== null && <p class="big-bin">→ {shown.result.bin}</p>}
            <p class="big-facts">
              {percent(shown.result.confidence)} {mark !== null && <Marked mark={mark} />}
            </p>
          </div>
        </>
      )}
    </div>
  );
}

/** The latest result together with its picture, each for a while. */
function useBig(latest: BigProps['latest']): Landed | undefined {
  const [shown, setShown] = useState<Landed>();
  useEffect(() => {
    const stop = new AbortController();
    let former: Result | undefined;
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      const result = latest.current;
      if (result !== undefined && result !== former && !document.hidden) {
        former = result;
        const picture = await drawnPicture(result.imageKey, 1024, stop.signal).catch(() => undefined);
        if (stop.signal.aborted) return;
        setShown({ result, picture });
        timer = setTimeout(() => void look(), bigMs);
      } else {
        timer = setTimeout(() => void look(), 100);
      }
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [latest]);
  return shown;
}
