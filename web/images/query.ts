/** What is searched for among images: as the address has it, and as people read and enter it. */
import { filtersOf } from '../shared/filters.ts';
import { fullMoment } from '../shared/format.ts';
import { texts } from '../texts.ts';

const { images: t } = texts;

/** As `GET /v1/results` calls them. */
const filters = [
  'key',
  'category',
  'bin',
  'belt',
  'consumer',
  'model',
  'above',
  'below',
  'since',
  'until',
  'unknown',
] as const;
export type Filter = (typeof filters)[number];

/** Without what says nothing, and what is no filter. */
export function askedOf(given: { get(name: string): unknown }): URLSearchParams {
  return filtersOf(filters, given);
}

/** The time in the form's select that opens its own begin and end. */
export const range = 'range';

/** What a form says: a time is a span until now, or a begin and an end in the viewer's zone. */
export function askedByForm(form: FormData): URLSearchParams {
  const given = new Map<string, unknown>(form);
  const span = given.get('span');
  given.set('since', span === range ? isoOf(given.get('since')) : span);
  given.set('until', span === range ? isoOf(given.get('until')) : '');
  return askedOf(given);
}

function isoOf(local: unknown): string {
  const time = new Date(typeof local === 'string' ? local : '');
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

/** For a field of the kind `datetime-local`; empty where it is no moment. */
export function localOf(iso: string | null): string {
  const time = iso === null || isAgo(iso) ? NaN : Date.parse(iso);
  if (Number.isNaN(time)) return '';
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** `15m`, `7d`. */
export function isAgo(time: string): boolean {
  return /^\d+(\.\d+)?\s*[smhd]$/.test(time);
}

/** A filter as people read it. */
export function told(name: Filter, value: string): string {
  if (name === 'unknown') return value === 'true' ? t.unknownOnly : t.knownOnly;
  if (name === 'above' || name === 'below') return t.confidence[name](value);
  if (name === 'since' && isAgo(value)) return t.spans[value] ?? t.span(value);
  const isMoment = (name === 'since' || name === 'until') && !Number.isNaN(Date.parse(value));
  return `${t[name]}: ${isMoment ? fullMoment(value) : value}`;
}

/** The address of a search, without one of its filters. */
export function addressWithout(asked: URLSearchParams, name: string): string {
  const rest = new URLSearchParams(asked);
  rest.delete(name);
  return addressOf(rest);
}

/** With another value for one. */
export function addressWith(asked: URLSearchParams, name: Filter, value: string): string {
  const other = new URLSearchParams(asked);
  other.set(name, value);
  return addressOf(other);
}

export function addressOf(asked: URLSearchParams): string {
  return asked.size === 0 ? '#/images' : `#/images?${asked}`;
}
