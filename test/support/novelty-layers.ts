/** What tells unknown objects, of numbers by chance: of about the size that training gives. */
import type { NoveltyLayer } from '../../src/lib/models/onnx/novelty.ts';
import { chance } from './squeezenet-models.ts';

export function noveltyLayer(features: number, classes: number, seed = 3): NoveltyLayer {
  const next = chance(seed);
  const size = 2 / Math.sqrt(features);
  const numbers = (length: number) => Float32Array.from({ length }, () => size * (2 * next() - 1));
  const [map, offset, centres] = [features ** 2, features, classes * features].map(numbers);
  return { features, classes, map: map!, offset: offset!, centres: centres! };
}
