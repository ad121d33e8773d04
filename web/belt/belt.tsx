/** Results as they come: on a lane from which they drop into their bins, or the latest one in large type. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Bins as Rules, Result } from '../shared/answers.ts';
import { moment, number, rate } from '../shared/format.ts';
import { type Place, useClock, usePoll } from '../shared/hooks.ts';
import { Notice } from '../shared/parts.tsx';
import { follow, type StreamState, useStreamState } from '../shared/stream.ts';
import { texts } from '../texts.ts';
import { Big } from './big.tsx';
import { BeltBins, binsOf, type Group, groupsOf, type Known, mostShown } from './bins.tsx';
import { Lane } from './lane.ts';
import { Connection, type Pictured } from './parts.tsx';
import { groupOf, rateOf, Tallies } from './tally.ts';

const { belt: t } = texts;

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
  const groups = groupsOf(tallies.of(belt), known);
  const all = [...tallies.of(belt).values()];
  const count = all.reduce((sum, tally) => sum + tally.count, 0);
  const aSecond = all.reduce((sum, tally) => sum + rateOf(tally, now), 0);
  const belts = [...new Set([...tallies.belts, ...(belt === null ? [] : [belt])])];
  return (
    <>
      <div class="row belt-head">
        <h1>{t.heading}</h1>
        <Connection stream={stream} />
        <span class="quiet">{t.since(number(count), count, moment(new Date(began).toISOString()))}</span>
        <span class="quiet">
          {rate(aSecond)} {texts.now.aSecond}
        </span>
        <span class="end">
          {belts.length > 0 && (
            <label class="check">
              {texts.images.belt}
              <select
                value={belt ?? ''}
                onChange={(event) => (location.hash = addressOf(event.currentTarget.value || null, isBig))}
              >
                <option value="">{t.all}</option>
                {belts.map((name) => (
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
        <Big key={belt} belt={belt} latest={latest} stream={stream} leave={() => leaveBig(belt)} />
      ) : (
        <Running key={belt} belt={belt} groups={groups} all={count} known={known} stream={stream} now={now} />
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

interface RunningProps {
  belt: string | null;
  groups: Group[];
  all: number;
  known: Known;
  stream: StreamState;
  now: number;
}

function Running({ belt, groups, all, known, stream: { state, error }, now }: RunningProps) {
  const lane = useRef<HTMLDivElement>(null);
  const bins = useRef<HTMLUListElement>(null);
  const [landed, land] = useLanded();
  useEffect(() => {
    const place = (group: string) => bins.current?.querySelector(`[data-group="${CSS.escape(group)}"]`);
    const running = new Lane(lane.current!, {
      target(result) {
        // Bins that are not shown are in the last one.
        const bin = place(groupOf(result)) ?? place('');
        if (!bin) return undefined;
        const [from, to] = [lane.current!.getBoundingClientRect(), bin.getBoundingClientRect()];
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
  return (
    <>
      {state === 'lost' && error !== undefined && error.status !== 0 && (
        <Notice kind="error" hint={error.hint}>
          {error.message}
        </Notice>
      )}
      <div class="lane" ref={lane} aria-hidden="true">
        {state === 'lost' ? (
          <p class="note">{t.catchesUp}</p>
        ) : (
          all === 0 && groups.length > 0 && <p class="note">{t.none}</p>
        )}
      </div>
      {groups.length > 0 ? (
        <div class={state === 'lost' ? 'stale' : ''}>
          <h2>{known.manual === null ? t.byCategory : t.byBin}</h2>
          <BeltBins groups={groups} all={all} known={known} landed={landed} now={now} list={bins} />
        </div>
      ) : (
        state === 'live' && (
          <Notice kind="empty" hint={<a href="#/try">{t.tryOne}</a>}>
            {t.none}
          </Notice>
        )
      )}
    </>
  );
}

/** The last tile of each bin; at most as many as bins are shown. */
function useLanded(): [
  ReadonlyMap<string, Pictured>,
  (result: Result, picture: HTMLCanvasElement | undefined) => void,
] {
  const [kept] = useState(() => new Map<string, Pictured>());
  const [, show] = useState(0);
  const land = useCallback(
    (result: Result, picture: HTMLCanvasElement | undefined) => {
      const key = groupOf(result);
      if (!kept.has(key) && kept.size >= mostShown) return;
      kept.set(key, { result, picture });
      show((n) => n + 1);
    },
    [kept],
  );
  return [kept, land];
}
