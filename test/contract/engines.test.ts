/** What every engine promises of a session, on the one network that all of them execute. */
import { afterAll, describe, expect, it } from 'vitest';
import type { EngineName } from '../../src/lib/models/classifier/classifier.ts';
import { engines } from '../../src/lib/models/classifier/engines/engines.ts';
import { softmax } from '../../src/lib/models/classifier/rank.ts';
import { withNovelty } from '../../src/lib/models/onnx/novelty.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { describeEngines, tensorCount } from '../support/engines.ts';
import { rejection } from '../support/images.ts';
import { noveltyLayer } from '../support/novelty-layers.ts';
import { chance, chanceSqueezeNet } from '../support/squeezenet-models.ts';

const side = 224;
const values = 3 * side * side;
const classes = 10;
/** It tells novelty as well. */
const weights = serializeOnnx(withNovelty(parseOnnx(chanceSqueezeNet(classes)), noveltyLayer(512, classes)));
/** Five different images, of about the values that normalised photographs have. */
const images = Float32Array.from(
  { length: 5 * values },
  (
    (next) => () =>
      4 * next() - 2
  )(chance(7)),
);
const answers = new Map<EngineName, Float64Array[]>();
const novelties = new Map<EngineName, number[]>();

describeEngines((engine) => {
  it('answers a batch as it answers its images one by one', async () => {
    await using session = await engines[engine].open(weights, { side });
    const batch = await session.run(images.slice(), 5);
    const [together, told] = [batch.scores.slice(), [...batch.novelty!]];
    expect(together).toHaveLength(5 * classes);
    const alone: Float32Array[] = [];
    const toldAlone: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { scores, novelty } = await session.run(images.slice(i * values, (i + 1) * values), 1);
      alone.push(scores.slice());
      toldAlone.push(...novelty!);
    }
    expect(told).toHaveLength(5);
    expect(toldAlone).toHaveLength(5);
    for (const [i, value] of told.entries()) expect(value).toBeCloseTo(toldAlone[i]!, 4);
    expect(Math.max(...told) - Math.min(...told)).toBeGreaterThan(1e-3);
    novelties.set(engine, toldAlone);
    for (const [i, scores] of alone.entries()) {
      for (let c = 0; c < classes; c++) expect(together[i * classes + c]).toBeCloseTo(scores[c]!, 4);
    }
    // The images differ, or the comparison would say nothing.
    for (let i = 1; i < 5; i++) {
      const most = Math.max(...alone[i]!.map((score, c) => Math.abs(score - alone[0]![c]!)));
      expect(most).toBeGreaterThan(0.001);
    }
    answers.set(engine, alone.map(softmax));
  });

  it('may be closed twice', async () => {
    const session = await engines[engine].open(weights, { side });
    await session[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
  });

  it.runIf(engine === 'tfjs')('leaves no tensor behind', async () => {
    const before = tensorCount();
    const session = await engines[engine].open(weights, { side });
    const open = tensorCount();
    expect(open).toBe(before + 52); // 26 convolutions, each with a kernel and a bias
    for (let i = 0; i < 20; i++) await session.run(images.slice(0, values), 1);
    expect(tensorCount()).toBe(open);
    await session[Symbol.asyncDispose]();
    expect(tensorCount()).toBe(before);
    await rejection(engines[engine].open(Buffer.from('no model'), { side }));
    expect(tensorCount()).toBe(before);
  });
});

describe('engines', () => {
  afterAll(() => answers.clear());

  it('agree on novelty to a thousandth', () => {
    const [first, ...others] = [...novelties.values()];
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) {
      for (const [i, value] of other.entries()) expect(Math.abs(value - first![i]!)).toBeLessThan(1e-3);
    }
  });

  it('agree to a thousandth', () => {
    const [first, ...others] = [...answers.values()];
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) {
      for (const [i, shares] of other.entries()) {
        for (const [c, share] of shares.entries())
          expect(Math.abs(share - first![i]![c]!)).toBeLessThan(1e-3);
      }
    }
  });
});

describe('another device', () => {
  it.each([
    ['cuda', /cannot execute this model on cuda/],
    ['coreml', /does not support the device coreml/],
  ] as const)('%s is refused where it is not, and nothing else takes its place', async (device, message) => {
    const error = await rejection(engines.onnx.open(weights, { side, device }));
    expect(error).toMatchObject({ code: 'device_unavailable', retryable: false });
    expect((error as Error).message).toMatch(message);
    expect((error as { hint?: string }).hint).toMatch(/--device cpu/);
  });
});
