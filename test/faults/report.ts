/** The table at the end of a run: faults, how often, and how long until rows came again. */
import { table as columns } from '../../src/lib/base/report/table.ts';
import type { Report } from './play.ts';
import type { Recovery } from './recovery.ts';

export interface Counted {
  messages: number;
  requests: number;
  good: number;
  bad: number;
  predictions: number;
  deadLetters: number;
  /** Messages in the topic whose request was there before. */
  duplicates: number;
  sentAgain: number;
  resent: number;
  poison: number;
  lost: number;
  doubled: number;
}

export interface Summary {
  kind: string;
  times: number;
  /** How many of them happened alone and are timed. */
  timed: number;
  min: number;
  median: number;
  max: number;
  stuck: number;
}

/** By kind; timed are those that happened alone, for one beside another says little about either. */
export function summarize(recoveries: readonly Recovery[]): Summary[] {
  const kinds = [...new Set(recoveries.map((r) => r.kind))].sort();
  return kinds.map((kind) => {
    const all = recoveries.filter((r) => r.kind === kind);
    const seconds = all
      .flatMap((r) => (r.seconds === null || r.together ? [] : [r.seconds]))
      .sort((a, b) => a - b);
    return {
      kind,
      times: all.length,
      timed: seconds.length,
      min: seconds[0] ?? NaN,
      median: seconds[Math.floor((seconds.length - 1) / 2)] ?? NaN,
      max: seconds.at(-1) ?? NaN,
      stuck: all.filter((r) => r.seconds === null).length,
    };
  });
}

export function table({
  seed,
  options,
  problems,
  recoveries,
  skipped,
  counts,
  seconds,
  dir,
}: Report): string {
  const figure = (value: number) => (Number.isNaN(value) ? null : value.toFixed(2));
  const faults = columns(summarize(recoveries), [
    { title: 'fault', value: (s) => s.kind },
    { title: 'times', value: (s) => s.times, align: 'right' },
    { title: 'alone', value: (s) => s.timed, align: 'right' },
    { title: 'min s', value: (s) => figure(s.min), align: 'right' },
    { title: 'median s', value: (s) => figure(s.median), align: 'right' },
    { title: 'max s', value: (s) => figure(s.max), align: 'right' },
  ]);
  return [
    '',
    `${counts.messages} messages, ${counts.requests} requests (${counts.good} good, ${counts.bad} bad): ${counts.predictions} predictions, ${counts.deadLetters} dead letters; ${counts.duplicates} messages were duplicates; ${counts.lost} lost, ${counts.doubled} doubled`,
    '',
    faults,
    '',
    ...Object.entries(skipped).map(([kind, why]) => `skipped: ${kind} [${why}]`),
    problems.length === 0
      ? `seed ${seed} on the ${options.stack} stack passed in ${seconds.toFixed(0)} s`
      : `seed ${seed} on the ${options.stack} stack FAILED in ${seconds.toFixed(0)} s; logs of every process, schedule and report are in ${dir}\n${problems.map((p) => `  ${p}`).join('\n')}`,
  ].join('\n');
}
