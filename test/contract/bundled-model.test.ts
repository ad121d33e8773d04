/** The model that comes with the package: small, honest about what it knows, and right about parts it has not seen. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawPicture, kindOf } from '../../src/lib/local/drawings/draw.ts';
import { kinds, labelOf } from '../../src/lib/local/drawings/shapes.ts';
import { openClassifier } from '../../src/lib/models/classifier/pool.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { bundledModels, partsModelDirectory } from '../../src/lib/models/store/entry.ts';
import { thorough } from '../support/thorough.ts';

/** Drawing one takes longer than naming it. */
const parts = thorough ? 200 : 20;

describe('the bundled model', () => {
  it('is whole, small, and says what it knows', async () => {
    const [entry, ...others] = await bundledModels();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ path: partsModelDirectory, bundled: true, fault: undefined });
    expect((await stat(join(partsModelDirectory, 'model.onnx'))).size).toBeLessThan(5e6);
    expect(entry!.manifest?.knows).toMatch(/parts.*not photographs/);
    expect(entry!.manifest?.metrics?.top1).toBeGreaterThanOrEqual(0.97);
    const { info } = await loadModel(partsModelDirectory);
    expect([...info.labels].sort()).toEqual(kinds.map(labelOf).sort());
  });

  it(`names at least ${0.95 * parts} of ${parts} fresh parts`, async () => {
    await using classifier = await openClassifier({
      model: await loadModel(partsModelDirectory),
      engine: 'auto',
      workers: 1,
    });
    const seed = 200_000;
    const wrong: string[] = [];
    for (let index = 0; index < parts; index++) {
      const kind = kindOf(seed, index);
      const { top } = await classifier.classify(await drawPicture(kind, seed, index));
      if (top[0]!.category !== labelOf(kind)) wrong.push(`${labelOf(kind)} → ${top[0]!.category}`);
    }
    expect(wrong.length, wrong.join('\n')).toBeLessThanOrEqual(0.05 * parts);
  }, 60_000);
});
