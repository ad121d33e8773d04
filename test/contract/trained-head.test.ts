/** A head written into a network's file gives the answers that it was trained to give, in every engine. */
import { describe, expect, it } from 'vitest';
import { featureNetwork } from '../../src/lib/learning/train/features/network.ts';
import { fitHead, type Head } from '../../src/lib/learning/train/head/fit.ts';
import { layerOf } from '../../src/lib/learning/train/head/head.ts';
import { engines } from '../../src/lib/models/classifier/engines/engines.ts';
import { withHead } from '../../src/lib/models/onnx/head.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { describeEngines } from '../support/engines.ts';
import { chance, chanceSqueezeNet } from '../support/squeezenet-models.ts';
import { thorough, thoroughTitle } from '../support/thorough.ts';

const side = 224;
const [count, classes] = [12, 3];
const parent = parseOnnx(chanceSqueezeNet());
const { weights: extracting, features: featureCount } = featureNetwork(parent);
const next = chance(11);
/** Images of different brightness in each of the classes. */
const images = Array.from({ length: count }, (_, i) =>
  Float32Array.from({ length: 3 * side * side }, () => next() * (1 + (i % classes)) - 1),
);
const labels = Int32Array.from(images, (_, i) => i % classes);

function scores({ values, features }: Head, row: Float32Array): number[] {
  return Array.from({ length: classes }, (_, k) => {
    let sum = values[classes * features + k]!;
    for (let j = 0; j < features; j++) sum += values[k * features + j]! * row[j]!;
    return sum;
  });
}

describe('a written head', () => {
  describeEngines((engine) => {
    const title = 'is the trained head';
    const here = engine === 'onnx' || thorough;
    it.runIf(here)(here ? title : thoroughTitle(title), async () => {
      await using extractor = await engines[engine].open(extracting, { side });
      const data = new Float32Array(count * featureCount);
      for (const [i, image] of images.entries())
        data.set((await extractor.run(image.slice(), 1)).scores, i * featureCount);
      const set = { data, features: featureCount, views: 1, labels, classes };
      const head = fitHead(set, { images: Int32Array.from(labels.keys()), views: [0], penalty: 0.01 });

      const network = serializeOnnx(withHead(parent, layerOf(head)));
      await using session = await engines[engine].open(network, { side });
      let negative = 0;
      for (const [i, image] of images.entries()) {
        const wanted = scores(head, data.subarray(i * featureCount, (i + 1) * featureCount));
        const { scores: found } = await session.run(image.slice(), 1);
        for (const [k, score] of wanted.entries()) {
          expect(found[k]).toBeCloseTo(score, 3);
          if (score < -0.1) negative++;
        }
        expect(wanted.indexOf(Math.max(...wanted))).toBe(labels[i]);
      }
      // With the ReLU of its parent these would have been zero, at the least in part.
      expect(negative).toBeGreaterThan(count);
    });
  });
});
