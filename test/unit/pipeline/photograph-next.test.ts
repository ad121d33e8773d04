/** What to photograph next: frequent classes of which much may be wrong come first, each with its reasons. */
import { describe, expect, it } from 'vitest';
import { nextPhotographs } from '../../../src/lib/pipeline/accuracy.ts';
import { type Evidence, photographNext } from '../../../src/lib/pipeline/photograph-next.ts';

const of = (category: string, predictions: number, unknown = 0, belt: string | null = null) => ({
  category,
  predictions,
  unknown,
  belt,
});
const really = (label: string, category: string, images: number) => ({ label, category, images });
const next = (evidence: Partial<Evidence>) => photographNext({ recent: [], confusion: [], ...evidence });
const names = (evidence: Partial<Evidence>) => next(evidence).map(({ label }) => label);

describe('photograph next', () => {
  it('says nothing of what nothing is known of', () => {
    expect(next({})).toEqual([]);
    expect(next({ recent: [of('nut', 100)] })).toEqual([]);
    expect(next({ confusion: [really('nut', 'bolt', 3)] })).toEqual([]);
  });

  it('puts the frequent before the rare, and the doubtful before the certain', () => {
    const recent = [of('nut', 600), of('bolt', 300), of('gear', 100)];
    const alike = ['nut', 'bolt', 'gear'].flatMap((one) => [
      really(one, one, 15),
      really(one, `no ${one}`, 15),
    ]);
    expect(names({ recent, confusion: alike })).toEqual(['nut', 'bolt', 'gear']);
    const nutIsGood = [really('nut', 'nut', 400), really('nut', 'bolt', 1), ...alike.slice(2)];
    expect(names({ recent, confusion: nutIsGood })).toEqual(['bolt', 'gear']);
  });

  it('orders by the share times the upper bound of the error', () => {
    const [one] = next({
      recent: [of('nut', 75), of('bolt', 25)],
      confusion: [really('nut', 'nut', 10), really('nut', 'gear', 10), really('bolt', 'bolt', 500)],
    });
    // Nobody corrected a `nut` to something else, so its share stays; `gear` is not predicted.
    expect(one).toMatchObject({ label: 'nut', share: 0.75, images: 20, right: 10 });
    expect(one!.interval95!.low).toBeCloseTo(0.2993, 4);
    expect(one!.gain).toBeCloseTo(0.75 * (1 - 0.2993), 4);
    expect(one!.why).toEqual([
      'wrong in 10 of 20 labelled images (95 % certain: 30 to 70 %)',
      'taken for gear 10 times',
    ]);
  });

  it('finds a class that the model never says, by what is taken for something else', () => {
    const [washer] = next({
      recent: [of('nut', 100)],
      confusion: [really('washer', 'nut', 30), really('nut', 'nut', 60)],
    });
    // 30 of 90 corrected and 10 imagined ones.
    expect(washer).toMatchObject({ label: 'washer', images: 30, right: 0 });
    expect(washer!.share).toBeCloseTo(0.3);
    expect(washer!.takenFor).toEqual({ category: 'nut', images: 30 });
    const shares = next({
      recent: [of('nut', 100)],
      confusion: [really('washer', 'nut', 30), really('nut', 'nut', 2), really('nut', 'x', 8)],
    }).map(({ share }) => share);
    expect(shares.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1);
  });

  it('names a class of which nothing is labelled, once others are', () => {
    const recent = [of('nut', 90), of('bolt', 10)];
    expect(next({ recent, confusion: [really('nut', 'nut', 200)] })).toMatchObject([
      { label: 'bolt', gain: 0.1, interval95: null, why: ['none of its images is labelled'] },
    ]);
    const few = next({ recent, confusion: [really('nut', 'nut', 200), really('bolt', 'bolt', 3)] });
    expect(few.map(({ why }) => why)).toEqual([['only 3 labelled']]);
  });

  it('names what the model never says', () => {
    const evidence = { recent: [of('nut', 100)], confusion: [really('ring', 'nut', 1)] };
    expect(next(evidence).map(({ label, why }) => [label, why])).toEqual([
      ['nut', ['none of its images is labelled']],
      ['ring', ['the model never says it', 'only 1 labelled']],
    ]);
  });

  it('names what is often unknown, with the belt, whether anything is labelled or not', () => {
    const recent = [
      of('nut', 40, 20, 'a'),
      of('nut', 40, 4, 'b'),
      of('nut', 19, 19, 'too few'),
      of('bolt', 101, 10, null),
    ];
    expect(next({ recent })).toMatchObject([
      { label: 'nut', unknownOn: { belt: 'a', share: 0.5 }, why: ['50 % unknown on belt a'] },
    ]);
    expect(next({ recent: [of('bolt', 20, 5)] })[0]!.why).toEqual(['25 % unknown on images without a belt']);
  });

  it('names eight at most', () => {
    const recent = Array.from({ length: 30 }, (_, n) => of(`class ${n}`, 100 + n));
    const found = names({ recent, confusion: [really('class 0', 'class 0', 1)] });
    expect(found).toHaveLength(8);
    expect(found[0]).toBe('class 29');
  });

  it('is told of the model that predicts most now', () => {
    const model = (name: string) => ({ name, version: '1', digest: `sha256:${name}` });
    const told = nextPhotographs(
      [
        { digest: 'sha256:old', ...really('nut', 'bolt', 50) },
        { digest: 'sha256:new', ...really('bolt', 'bolt', 1) },
      ],
      [
        { model: model('old'), ...of('nut', 40) },
        { model: model('new'), ...of('bolt', 30) },
        { model: model('new'), ...of('bolt', 30, 0, 'b') },
      ],
    );
    expect(told).toMatchObject({ model: model('new'), predictions: 60, classes: [{ label: 'bolt' }] });
    expect(told.classes).toHaveLength(1);
    expect(nextPhotographs([], [])).toMatchObject({ model: null, predictions: 0, classes: [] });
  });
});
