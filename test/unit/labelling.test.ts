/** The state of the view Label: keys come faster than answers, and answers may be refusals. */
import { describe, expect, it } from 'vitest';
import {
  type Correction,
  keyedLabels,
  Labelling,
  type LabellingApi,
  labelKeys,
  matching,
  type Unsure,
} from '../../web/label/labelling.ts';

const image = (n: number): Unsure => ({ imageKey: `${n}`, category: 'cat', confidence: n, novelty: null });

/** A server that knows so many images; what it is told waits for `answer`. */
function opened(images: number, refuse: string[] = []) {
  const labels = new Map<string, string>();
  const calls: string[] = [];
  let answer = Promise.resolve();
  const api: LabellingApi = {
    unsure: (limit) =>
      Promise.resolve(
        [...Array(images).keys()]
          .map(image)
          .filter(({ imageKey }) => !labels.has(imageKey))
          .slice(0, limit),
      ),
    async correct(corrections, isNew) {
      await answer;
      calls.push(`${corrections.map((c) => `${c.imageKey}=${c.label}`).join()}${isNew ? ' new' : ''}`);
      if (corrections.some(({ label }) => refuse.includes(label))) throw new Error('refused');
      return corrections.map(({ imageKey, label }): Correction => {
        const former = labels.get(imageKey);
        labels.set(imageKey, label);
        return { imageKey, label, former: former === undefined ? null : { label: former, sha256: null } };
      });
    },
    async undo(corrections) {
      await answer;
      calls.push(`undo ${corrections.map(({ imageKey }) => imageKey).join()}`);
      for (const { imageKey } of corrections) labels.delete(imageKey);
    },
  };
  const labelling = new Labelling(api, () => undefined);
  return {
    labelling,
    labels,
    calls,
    hold: () => {
      let go = () => undefined as void;
      answer = new Promise((resolve) => (go = resolve));
      return go;
    },
    shown: () => labelling.images!.map(({ imageKey }) => imageKey),
    give: (label: string) =>
      labelling.apply(
        () => label,
        (known) => known !== 'new one',
      ),
    settled: () => expect.poll(() => labelling.pending).toBe(0),
  };
}

describe('labelling', () => {
  it('goes on with the next image at once, and tells the server in the order of the keys', async () => {
    const { labelling, calls, hold, shown, give, settled } = opened(5);
    await labelling.fetch();
    const go = hold();
    give('a');
    give('b');
    labelling.undo();
    give('new one');
    expect([shown(), labelling.done, labelling.pending, calls]).toEqual([['2', '3', '4'], 2, 4, []]);
    go();
    await settled();
    expect(calls).toEqual(['0=a', '1=b', 'undo 1', '1=new one new']);
  });

  it('puts back what the server refuses, and says why', async () => {
    const { labelling, labels, shown, give, settled } = opened(4, ['bad']);
    await labelling.fetch();
    labelling.move(1, false);
    give('bad');
    give('good');
    await settled();
    expect([shown(), labelling.done, [...labels]]).toEqual([['0', '1', '3'], 1, [['2', 'good']]]);
    expect(labelling.fault).toEqual(new Error('refused'));
    labelling.undo();
    await settled();
    expect([shown().toSorted(), labelling.canUndo, labels.size]).toEqual([['0', '1', '2', '3'], false, 0]);
  });

  it('asks for more when few are left, and shows nothing twice that is on its way', async () => {
    const { labelling, shown, give, hold } = opened(130);
    expect(labelling.isLow).toBe(true);
    expect(await labelling.fetch()).toBe(true);
    expect(labelling.isLow).toBe(false);
    const go = hold();
    for (let n = 0; n < 81; n++) give('a');
    expect(labelling.isLow).toBe(true);
    const more = labelling.fetch();
    go();
    expect(await more).toBe(false);
    expect(shown()).toEqual([...Array(49).keys()].map((n) => String(81 + n)));
  });

  it('selects ranges from where the last single one was', async () => {
    const { labelling } = opened(9);
    await labelling.fetch();
    labelling.click(2, { shift: false, toggle: false });
    labelling.click(4, { shift: true, toggle: false });
    expect([...labelling.selected]).toEqual(['2', '3', '4']);
    labelling.click(1, { shift: true, toggle: false });
    expect([...labelling.selected]).toEqual(['1', '2']);
    labelling.click(8, { shift: false, toggle: true });
    labelling.move(-1, true);
    expect([...labelling.selected]).toEqual(['7', '8']);
    labelling.selectAll();
    expect(labelling.chosen).toHaveLength(9);
    labelling.selectAll();
    expect(labelling.chosen.map(({ imageKey }) => imageKey)).toEqual(['7']);
  });
});

describe('labels with keys', () => {
  it('are all of them while the keys suffice, else those in use and those predicted', () => {
    const few = ['x', 'y'].map((label) => ({ label, corrections: 0 }));
    expect(keyedLabels(few, [])).toEqual(['x', 'y']);
    const many = [...Array(1000).keys()].map((n) => ({
      label: `${n}`,
      corrections: n === 7 ? 2 : n === 9 ? 5 : 0,
    }));
    expect(keyedLabels(many, [image(1)])).toEqual(['9', '7', 'cat']);
    expect(new Set(labelKeys).size).toBe(33);
  });

  it('others are found by what they begin with, then by what they contain', () => {
    const shown = (labels: string[], text: string) =>
      matching(labels, text, 8).map(({ label, isNew }) => (isNew ? `new ${label}` : label));
    expect(shown(['steel nut', 'nut', 'Nutmeg', 'bolt'], ' NUT')).toEqual([
      'nut',
      'Nutmeg',
      'new NUT',
      'steel nut',
    ]);
    // What Enter takes is nothing that only has it within.
    const fruit = ['pineapple, ananas', 'custard apple', 'Granny Smith'];
    expect(shown(fruit, 'apple')).toEqual(['new apple', 'custard apple', 'pineapple, ananas']);
    expect(shown(fruit, 'anan')).toEqual(['pineapple, ananas', 'new anan']);
    expect(shown(fruit, 'Granny Smith')).toEqual(['Granny Smith']);
    expect(matching(['a'], ' ', 8)).toEqual([]);
  });
});
