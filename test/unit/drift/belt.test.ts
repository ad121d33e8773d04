/** A belt that changes is noticed within 500 images, and one that does not is left alone. */
import { describe, expect, it } from 'vitest';
import { openRandom } from '../../../src/lib/local/drawings/random.ts';
import { BeltWatch } from '../../../src/lib/pipeline/drift/belt.ts';
import {
  alike,
  confidences,
  Simulation,
  type SimulatedBelt,
  watched,
  zipf,
} from '../../support/simulated-belts.ts';
import { itThorough } from '../../support/thorough.ts';

const usual: SimulatedBelt = { mix: alike(12), unknown: 0.01, confidence: confidences.sure, repeat: 0 };
const reference = 500;
const before = 800;

function begun(seed: number, belt = usual, expected?: ConstructorParameters<typeof BeltWatch>[0]) {
  const watch = new BeltWatch(expected);
  const simulation = new Simulation(openRandom(seed, 0));
  const early = watched(watch, simulation, belt, reference + before);
  const then = (next: SimulatedBelt, images: number) => watched(watch, simulation, next, images);
  return { watch, early, then };
}

const seeds = [1, 2, 3, 4, 5, 6, 7, 8];

describe('a belt that changes', () => {
  const changes: Record<string, { next: SimulatedBelt; kind: string }> = {
    'shows unknown things: 1 % to 9 %': { next: { ...usual, unknown: 0.09 }, kind: 'unknown' },
    'makes the model less sure': { next: { ...usual, confidence: confidences.broad }, kind: 'confidence' },
    'makes the model surer than it was': {
      next: { ...usual, confidence: () => 100 },
      kind: 'confidence',
    },
    'has a class more often: 8 % to 30 %': {
      next: { ...usual, mix: [0.3, ...alike(11).map((share) => share * 0.7)] },
      kind: 'classes',
    },
    'has other classes': {
      next: { ...usual, mix: [...alike(6).map(() => 0), ...alike(12)] },
      kind: 'classes',
    },
  };
  it.each(Object.entries(changes))(
    '%s: noticed within 500 images, and since when',
    (name, { next, kind }) => {
      // What was never unsure cannot become surer by much.
      const from = name.includes('surer') ? { ...usual, confidence: confidences.broad } : usual;
      for (const seed of seeds) {
        const { early, then } = begun(seed, from);
        expect(early).toEqual([]);
        const found = then(next, 500).filter(({ drift }) => drift.kind === kind);
        expect(found.map(({ over }) => over)).toEqual([false]);
        const [{ drift }] = found as [(typeof found)[0]];
        const changedAt = (reference + before) * 1000;
        expect(Math.abs(drift.since! - changedAt) / 1000, `images, seed ${seed}`).toBeLessThan(150);
      }
    },
  );

  it('says from what to what', () => {
    const { watch, then } = begun(1);
    then({ ...usual, unknown: 0.09 }, 500);
    const [drift] = watch.drifts;
    expect(drift).toMatchObject({ kind: 'unknown', category: null });
    expect(drift!.from).toBeCloseTo(1, 0);
    expect(Math.abs(drift!.to - 9)).toBeLessThan(4);
  });

  it('names the class that it shows more often', () => {
    const { watch, then } = begun(1);
    then({ ...usual, mix: [0.3, ...alike(11).map((share) => share * 0.7)] }, 500);
    expect(watch.drifts).toMatchObject([{ kind: 'classes', category: 'class 0' }]);
  });

  it('is said to be over once, when it is', () => {
    for (const seed of seeds) {
      const { watch, then } = begun(seed);
      expect(then({ ...usual, unknown: 0.09 }, 3000).map(({ over }) => over)).toEqual([false]);
      expect(then(usual, 5000).map(({ over }) => over)).toEqual([true]);
      expect(watch.drifts).toEqual([]);
    }
  });

  it('does not drift where confidences change by hundredths of a point', () => {
    const { then } = begun(1, { ...usual, confidence: () => 100 });
    expect(then({ ...usual, confidence: () => 99.95 }, 1000)).toEqual([]);
  });

  it('does not drift where less is unknown than was', () => {
    const { then } = begun(1, { ...usual, unknown: 0.2 });
    expect(then({ ...usual, unknown: 0 }, 1000)).toEqual([]);
  });
});

describe('a belt that is not as in training', () => {
  const expected = { images: 400, unknown: 0.01, confidence: { mean: 98.8, sd: 8 }, classes: [400] };

  it('is told before it has a reference, and until it is', () => {
    const bad: SimulatedBelt = { ...usual, unknown: 0.3, confidence: confidences.broad };
    const watch = new BeltWatch(expected);
    const simulation = new Simulation(openRandom(1, 0));
    const found = watched(watch, simulation, bad, 300);
    expect(found).toMatchObject([
      { drift: { kind: 'unknown', since: null, from: 1 }, over: false },
      { drift: { kind: 'confidence', since: null, from: 98.8 }, over: false },
    ]);
    expect(watched(watch, simulation, bad, 3000)).toEqual([]);
    // The model is surer than in the first images then, which is no harm.
    const good = watched(watch, simulation, usual, 2000);
    expect(good.map(({ drift, over }) => [drift.kind, over])).toEqual([
      ['confidence', true],
      ['unknown', true],
    ]);
  });

  it('is not where it differs little, or only in its classes', () => {
    const { early } = begun(2, { ...usual, unknown: 0.04, mix: [1] }, expected);
    expect(early).toEqual([]);
  });

  it('cannot be told of a model that has no novelty', () => {
    const { early } = begun(3, { ...usual, unknown: null }, expected);
    expect(early).toEqual([]);
  });
});

/** Unchanged belts of all kinds. */
const unchanged: Record<string, SimulatedBelt> = {
  'twelve classes, sure': usual,
  '72 classes, sure': { ...usual, mix: alike(72) },
  '81 classes, few of them often': {
    ...{ mix: zipf(81), unknown: 0.02 },
    ...{ confidence: confidences.broad, repeat: 0 },
  },
  '1,000 classes, without novelty': {
    ...{ mix: zipf(1000), unknown: null },
    ...{ confidence: confidences.unsure, repeat: 0 },
  },
  'two classes, very sure': {
    ...{ mix: [0.95, 0.05], unknown: 0.003 },
    ...{ confidence: confidences.verySure, repeat: 0 },
  },
  'much unknown': { ...usual, unknown: 0.1 },
  'runs of 5': { ...usual, confidence: confidences.byClass, repeat: 0.8 },
  'runs of 20, few classes often': {
    ...{ mix: zipf(81), unknown: 0.02 },
    ...{ confidence: confidences.byClass, repeat: 0.95 },
  },
};

/** Of 50,000 images, from the first on. */
function falseAlarms(belt: SimulatedBelt, seed: number): number {
  const found = watched(new BeltWatch(undefined), new Simulation(openRandom(seed, 1)), belt, 50_000);
  return found.filter(({ over }) => !over).length;
}

describe('a belt that does not change', () => {
  it.each(Object.entries(unchanged))('is left alone for 50,000 images: %s', (_, belt) => {
    expect(falseAlarms(belt, 1)).toBe(0);
  });

  itThorough(
    'has at most one alarm in 50,000 images, of a million each',
    () => {
      const belts = Object.values(unchanged);
      for (const belt of belts) {
        let alarms = 0;
        for (let seed = 0; seed < 20; seed++) alarms += falseAlarms(belt, seed);
        expect(alarms / 20).toBeLessThanOrEqual(1);
      }
    },
    600_000,
  );
});
