/** The bins below the lane: how many came into each, why, and the last one. */
import { useEffect, useState } from 'preact/hooks';
import type { Bins as Rules, Result } from '../shared/answers.ts';
import { number, percent, rate } from '../shared/format.ts';
import { Mark } from '../shared/parts.tsx';
import { texts } from '../texts.ts';
import { drawnPicture } from './drawn.ts';
import { Drawn, type Pictured } from './parts.tsx';
import { rateOf, type Tally } from './tally.ts';

const { belt: t } = texts;

/** Bins shown; others are counted together. */
export const mostShown = 24;

export interface Known {
  names: string[];
  manual: string | null;
}

export interface Group {
  key: string;
  name: string;
  tally: Tally<Result> | undefined;
}

/** The bins of the rules, in their order, that of unknown objects and the manual one last. */
export function binsOf(found: Rules | undefined): Known {
  const rules = found?.rules ?? null;
  if (rules === null) return { names: [], manual: null };
  const { bins, manual, unknown = manual } = rules;
  const named = bins.map(({ bin }) => bin).filter((bin) => bin !== manual && bin !== unknown);
  return { names: [...new Set([...named, unknown, manual])], manual };
}

/** Those of the rules, and whatever else results went into. */
export function groupsOf(tallies: ReadonlyMap<string, Tally<Result>>, { names }: Known): Group[] {
  const ofRules = names.map((name) => ({ key: `bin ${name}`, name, tally: tallies.get(`bin ${name}`) }));
  const keys = new Set(ofRules.map(({ key }) => key));
  const more = [...tallies].filter(([key]) => !keys.has(key));
  return [...ofRules, ...more.map(([key, tally]) => ({ key, name: tally.name, tally }))];
}

interface BeltBinsProps {
  groups: Group[];
  /** Results in all of them. */
  all: number;
  known: Known;
  /** By group: the last one that was seen to drop into it. */
  landed: ReadonlyMap<string, Pictured>;
  now: number;
  list: { current: HTMLUListElement | null };
}

export function BeltBins({ groups, all, known, landed, now, list }: BeltBinsProps) {
  const rest = groups.slice(mostShown);
  const count = rest.reduce((sum, { tally }) => sum + (tally?.count ?? 0), 0);
  return (
    <ul class="belt-bins" ref={list}>
      {groups.slice(0, mostShown).map((group) => (
        <Bin
          key={group.key}
          group={group}
          all={all}
          isManual={group.name === known.manual}
          landed={landed.get(group.key)}
          now={now}
        />
      ))}
      {rest.length > 0 && (
        <li class="belt-bin" data-group="">
          <h3>{t.others(rest.length)}</h3>
          <Count count={count} />
          <p class="quiet">{t.tooMany(mostShown)}</p>
        </li>
      )}
    </ul>
  );
}

function Count({ count }: { count: number }) {
  return (
    <p class="value">
      {number(count)} <small class="quiet">{t.images(count)}</small>
    </p>
  );
}

interface BinProps {
  group: Group;
  all: number;
  isManual: boolean;
  landed: Pictured | undefined;
  now: number;
}

/** So much later came the latest of a bin: the one that was on the lane is the last no more. */
const oldMs = 15_000;

function Bin({ group: { key, name, tally }, all, isManual, landed, now }: BinProps) {
  const count = tally?.count ?? 0;
  const isOld =
    landed !== undefined &&
    tally !== undefined &&
    Date.parse(tally.latest.processedAt) - Date.parse(landed.result.processedAt) > oldMs;
  const last = landed === undefined || isOld ? tally && { result: tally.latest, picture: undefined } : landed;
  const reasons = [...(tally?.reasons ?? [])].filter(([reason]) => reason !== 'mapped');
  const title = name === '' ? t.more : name;
  return (
    <li class={`belt-bin ${isManual ? 'manual' : ''}`} data-group={key}>
      <h3 title={title}>{title}</h3>
      <Count count={count} />
      <p class="quiet">
        {rate(tally === undefined ? 0 : rateOf(tally, now))}
        {t.aSecond}
        {count > 0 && ` · ${percent((100 * count) / all)}`}
      </p>
      {reasons.length > 0 && (
        <ul class="belt-reasons">
          {reasons.map(([reason, n]) => (
            <li key={reason}>
              {texts.image.reasons[reason] ?? reason}: {number(n)}
            </li>
          ))}
        </ul>
      )}
      {last !== undefined && <Last {...last} />}
    </li>
  );
}

function Last({ result, picture }: Pictured) {
  const fetched = useFetched(result, picture === undefined);
  return (
    <a class="belt-last" href={`#/image/${encodeURIComponent(result.id)}`} title={result.category}>
      <Drawn picture={picture ?? fetched} name="belt-picture" />
      <span>
        <span class="belt-name">{result.category}</span>{' '}
        <span class="quiet">{percent(result.confidence)}</span> <Mark result={result} words={t.marks} />
      </span>
    </a>
  );
}

/** What stays the last of a bin for so long without having been on the lane gets its picture by itself. */
const stayMs = 700;

function useFetched({ imageKey, id }: Result, isWanted: boolean): HTMLCanvasElement | undefined {
  const [fetched, setFetched] = useState<{ id: string; picture: HTMLCanvasElement }>();
  useEffect(() => {
    if (!isWanted) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      drawnPicture(imageKey, 192, stop.signal).then(
        (picture) => setFetched({ id, picture }),
        () => undefined,
      );
    }, stayMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [imageKey, id, isWanted]);
  return fetched?.id === id ? fetched.picture : undefined;
}
