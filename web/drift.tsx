/** Belts whose images are no longer what they were: one sentence each. */
import type { Drift, Status } from './answers.ts';
import { percent, roughMoment } from './format.ts';
import { texts } from './texts.ts';

const { drift: t } = texts;

export function Drifts({ status: { drift } }: { status: Status }) {
  if (drift.length === 0) return null;
  return (
    <section class="drift" aria-label={t.heading}>
      <ul>
        {drift.map((one) => (
          <li key={`${one.belt} ${one.kind} ${one.category}`}>
            <strong>{t.belt(one.belt)}</strong>: {driftWords(one)}.{' '}
            <a href={`#/images?${driftPlace(one)}`}>{t.look}</a>
          </li>
        ))}
      </ul>
      <p>{t.todo}</p>
    </section>
  );
}

/** With its belt. */
export function driftSentence(drift: Drift): string {
  return `${t.belt(drift.belt)}: ${driftWords(drift)}`;
}

export function driftWords({ kind, category, since, from, to }: Drift): string {
  const what = kind === 'classes' ? t.class(category ?? '') : t[kind];
  if (since === null) return t.first(what, percent(to), percent(from));
  return t.since(roughMoment(since), what, to > from, percent(from), percent(to));
}

/** Its images, for the address. */
export function driftPlace({ belt, since }: Drift): string {
  const query = new URLSearchParams();
  if (belt !== null) query.set('belt', belt);
  if (since !== null) query.set('since', since);
  return String(query);
}
