/** What several consumers tell of the same belts, which each of them sees a part of. */
import { sum } from '../../base/statistics.ts';
import type { ConsumerRow, Drift } from '../../systems/database/tables/consumers.ts';

/** Of each belt, model and kind one, by the earliest that tells since when; the earliest first. */
export function mergedDrifts(consumers: readonly Pick<ConsumerRow, 'drift'>[]): Drift[] {
  const same = new Map<string, Drift[]>();
  for (const drift of consumers.flatMap((consumer) => consumer.drift ?? [])) {
    const id = JSON.stringify([drift.belt, drift.model.digest, drift.kind]);
    same.set(id, [...(same.get(id) ?? []), drift]);
  }
  return [...same.values()].map(merged).sort(bySince);
}

function merged(all: readonly Drift[]): Drift {
  const changed = all.filter(({ since }) => since !== null).sort(bySince);
  const [first] = changed.length > 0 ? changed : all;
  const alike = all.filter(
    ({ since, category }) => (since === null) === (first!.since === null) && category === first!.category,
  );
  return { ...first!, to: sum(alike.map(({ to }) => to)) / alike.length };
}

function bySince(a: Drift, b: Drift): number {
  return (a.since ?? '').localeCompare(b.since ?? '');
}
