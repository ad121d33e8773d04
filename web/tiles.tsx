/** The numbers at the top of Now. */
import { useRef } from 'preact/hooks';
import type { Activity, Partition, Status } from './answers.ts';
import { age, milliseconds, number, percent, rate } from './format.ts';
import { Tile } from './parts.tsx';
import { texts } from './texts.ts';

const { now: t } = texts;

/** What waited when the topic could be asked last. */
export interface LastLags {
  of: (partition: Partition) => number | null;
  /** How old that is, in milliseconds; 0: it is of now. */
  age: number;
}

export function useLastLags(status: Status | undefined): LastLags {
  const last = useRef<{ lags: Map<number, number | null>; at: number } | undefined>(undefined);
  if (status === undefined) return { of: ({ lag }) => lag, age: 0 };
  const { partitions, servers, time } = status;
  const at = Date.parse(time);
  if (servers.topic.reachable)
    last.current = { lags: new Map(partitions.map(({ partition, lag }) => [partition, lag])), at };
  const { current } = last;
  return {
    of: ({ partition, lag }) => lag ?? current?.lags.get(partition) ?? null,
    age: current === undefined ? 0 : at - current.at,
  };
}

/** Of the last spans that are over: one alone jumps. */
const spans = 3;

export function Tiles({
  status,
  activity,
  lags,
}: {
  status: Status;
  activity: Activity | undefined;
  lags: LastLags;
}) {
  const { partitions, consumers, deadLetters, model, bins } = status;
  const waiting = partitions.map(lags.of);
  const lag = waiting.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  const standby = consumers.filter(({ state }) => state === 'standing by').length;
  const silent = status.silent.length;
  // Each may have its own, where nobody has chosen one for all.
  const running = [...new Set(consumers.flatMap((one) => one.model ?? []))].join(', ') || undefined;
  return (
    <section class="tiles">
      {activity === undefined ? null : <Rates activity={activity} />}
      <Tile
        name={t.lag}
        value={lag === null ? t.unknown : number(lag)}
        note={lags.age > 0 ? t.ago(age(lags.age)) : t.lagWhat}
        old={lags.age > 0}
      />
      <Tile
        name={t.consumers}
        value={number(consumers.length - standby)}
        note={`${t.standby(standby)}${silent > 0 ? `, ${silent} ${t.silent}` : ''}`}
        bad={consumers.length === 0 || silent > 0}
      />
      <Tile
        name={t.letters}
        value={<a href="#/dead-letters">{number(deadLetters)}</a>}
        note={t.open}
        bad={deadLetters > 0}
      />
      <Tile
        name={t.model}
        value={
          <a class="word" href="#/models">
            {model.active ?? running ?? t.noModel}
          </a>
        }
      />
      <Tile
        name={t.bins}
        value={
          <a class="word" href="#/bins">
            {bins === null ? t.noBins : t.version(bins.version)}
          </a>
        }
        note={bins?.source}
      />
    </section>
  );
}

/** A larger share of late results is worth a colour, in percent. */
const manyLate = 1;

function Rates({ activity: { points, seconds, deadlineMs } }: { activity: Activity }) {
  // The last span is not over.
  const over = points.slice(0, -1);
  const done = mean(over.slice(-spans).map((point) => point.done));
  // What came is known a little later.
  const came = mean(
    over
      .flatMap(({ at, came: one }) => (one === null || at < over.at(-1)!.at - 60 ? [] : [one]))
      .slice(-spans),
  );
  const last = over.findLast(({ latencyP50 }) => latencyP50 !== null);
  const all = points.reduce((sum, point) => sum + point.done, 0);
  const late = points.reduce((sum, point) => sum + point.late, 0);
  const share = all === 0 ? 0 : (100 * late) / all;
  const aSecond = (count: number | null) => (count === null ? '–' : rate(count / seconds));
  return (
    <>
      <Tile name={t.came} value={aSecond(came)} unit={t.aSecond} />
      <Tile name={t.done} value={aSecond(done)} unit={t.aSecond} />
      <Tile
        name={t.latency}
        wide
        value={milliseconds(last?.latencyP50 ?? null)}
        note={
          last === undefined
            ? t.latencyParts
            : t.latencyOf(
                milliseconds(last.latencyP99),
                milliseconds(last.waitP50),
                milliseconds(last.workP50),
              )
        }
      />
      {(deadlineMs !== null || late > 0) && (
        <Tile
          name={t.late}
          value={all === 0 ? '–' : percent(share)}
          note={t.lateWhat(deadlineMs === null ? null : milliseconds(deadlineMs))}
          bad={share >= manyLate}
        />
      )}
    </>
  );
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, one) => sum + one, 0) / values.length;
}
