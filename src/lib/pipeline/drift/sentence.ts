/** Says in one sentence how a belt has changed, for logs and `status`. */
import { quoted } from '../../base/printable.ts';
import type { Drift } from '../../systems/database/tables/consumers.ts';

/** `belt north: since 14:20 unknown rose from 1 % to 9 %`. Times are local; `now` tells whether they are of today. */
export function driftSentence(drift: Drift, now: Date): string {
  const { kind, from, to, since } = drift;
  if (since === null) {
    const share = kind === 'unknown' ? `${percent(to)} unknown` : `mean confidence ${percent(to)}`;
    return `${placeOf(drift)}: ${share}, ${percent(from)} in training`;
  }
  const moved = `${to > from ? 'rose' : 'fell'} from ${percent(from)} to ${percent(to)}`;
  return `${placeOf(drift)}: since ${timeText(new Date(since), now)} ${nameOf(drift)} ${moved}`;
}

/** `belt north: unknown is back at 1 %`. */
export function driftOverSentence(drift: Drift): string {
  const { to, since } = drift;
  return `${placeOf(drift)}: ${nameOf(drift)} ${since === null ? 'is' : 'is back'} at ${percent(to)}`;
}

/** The command that shows the images, for a reader who does not know yet what has happened. */
export function driftCommand({ belt, since }: Drift): string {
  const from = belt === null ? '' : ` --belt ${quoted(belt)}`;
  const moment = since === null ? '' : ` --since ${since.slice(0, 19)}Z`;
  return `visionscale results export${from}${moment} ./drift`;
}

function nameOf({ kind, category }: Drift): string {
  if (kind === 'unknown') return 'unknown';
  return kind === 'confidence' ? 'mean confidence' : `the share of ${JSON.stringify(category)}`;
}

function placeOf({ belt }: Drift): string {
  return belt === null ? 'images without a belt' : `belt ${belt}`;
}

/** Small ones to a tenth. */
function percent(value: number): string {
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}

/** `14:20`, or `2026-11-28 14:20` where that was not today. */
function timeText(time: Date, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === now.toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}
