/** Training from scratch, with TensorFlow: what is learned, kept, gone on with, and what the engines make of it. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Example } from '../../src/lib/learning/datasets/dataset.ts';
import type { TrainEvent } from '../../src/lib/learning/train/events.ts';
import { trainNetwork, type NetworkTraining } from '../../src/lib/learning/train/network/network.ts';
import { engines } from '../../src/lib/models/classifier/engines/engines.ts';
import { openPrepare } from '../../src/lib/models/images/prepare.ts';
import type { Preprocessing } from '../../src/lib/models/images/preprocess.ts';
import { serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { buildSqueezeNet11 } from '../../src/lib/models/onnx/squeezenet.ts';
import { describeTfjs, presentEngines, tensorCount } from '../support/engines.ts';
import { rejection } from '../support/images.ts';
import { drawShapes, shapeLabels } from '../support/shapes.ts';
import { itThorough } from '../support/thorough.ts';

const side = 64;
const preprocessing: Preprocessing = {
  resize: side,
  crop: side,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
};

describeTfjs('trainNetwork', () => {
  let root: string;
  let train: Example[];
  let held: Example[];
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'visionscale-train-'));
    train = await drawShapes(join(root, 'train'), 48, 1);
    held = await drawShapes(join(root, 'held'), 24, 2);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  function training(name: string, options: Partial<NetworkTraining> = {}): NetworkTraining {
    return {
      labels: shapeLabels,
      train,
      held,
      inputSize: side,
      preprocessing,
      epochs: 2,
      seed: 7,
      workDir: join(root, name),
      resume: false,
      signal: new AbortController().signal,
      ...options,
    };
  }
  const few = () => ({ recipe: { batchSize: 16 } });

  it('gives a network that answers the same in every engine', async () => {
    const events: TrainEvent[] = [];
    const before = tensorCount();
    const result = await trainNetwork(
      training('engines', { ...few(), onEvent: (event) => events.push(event) }),
    );
    expect(tensorCount()).toBe(before);
    expect(events.map(({ kind }) => kind).join(' ')).toBe(
      'epoch-started step step step judging epoch-ended epoch-started step step step judging epoch-ended',
    );
    const model = buildSqueezeNet11(result.weights, { finalRelu: false, inputSize: side });
    const bytes = serializeOnnx(model);
    const prepare = openPrepare({ preprocessing, mode: 'exact' });
    const judged = held;
    const inputs = await Promise.all(
      judged.map(async ({ path }) => (await prepare(readFileSync(path))).input),
    );
    const answers: Float32Array[][] = [];
    for (const engine of presentEngines) {
      await using session = await engines[engine].open(bytes, { side });
      const scores: Float32Array[] = [];
      for (const input of inputs) scores.push((await session.run(input, 1)).scores.slice());
      answers.push(scores);
    }
    expect(answers).toHaveLength(3);
    for (const [i, first] of answers[0]!.entries()) {
      for (const other of answers) {
        for (const [c, score] of other[i]!.entries()) expect(score).toBeCloseTo(first[c]!, 3);
      }
    }
    // What training measured is what inference finds.
    const right = judged.filter(({ label }, i) => {
      const scores = answers[0]![i]!;
      return scores.every((score, c) => c === label || score < scores[label]!);
    });
    expect(right.length / judged.length).toBeCloseTo(result.history[result.bestEpoch - 1]!.heldTop1, 5);
  });

  itThorough('goes on from its checkpoint as if it had never stopped', async () => {
    const whole = await trainNetwork(training('whole', { ...few(), epochs: 3 }));
    const stop = new AbortController();
    const first = await trainNetwork(
      training('parts', {
        ...few(),
        epochs: 3,
        signal: stop.signal,
        onEvent: (event) => {
          if (event.kind === 'step' && event.epoch === 2) stop.abort();
        },
      }),
    );
    expect(first).toMatchObject({ interrupted: true, bestEpoch: 1 });
    expect(first.history).toHaveLength(1);
    const events: TrainEvent[] = [];
    const rest = await trainNetwork(
      training('parts', { ...few(), epochs: 3, resume: true, onEvent: (event) => events.push(event) }),
    );
    expect(events[0]).toEqual({ kind: 'resumed', epoch: 1, epochs: 3 });
    expect(rest.interrupted).toBe(false);
    for (const [i, { trainLoss, heldLoss }] of rest.history.entries()) {
      expect(trainLoss).toBeCloseTo(whole.history[i]!.trainLoss, 3);
      expect(heldLoss).toBeCloseTo(whole.history[i]!.heldLoss, 3);
    }
    const changed = training('parts', { ...few(), epochs: 3, resume: true, seed: 8 });
    expect(await rejection(trainNetwork(changed))).toMatchObject({ code: 'checkpoint_invalid' });
  });

  itThorough('stops early without progress', async () => {
    const result = await trainNetwork(
      training('early', { epochs: 9, recipe: { batchSize: 16, learningRate: 0, patience: 1 } }),
    );
    expect(result).toMatchObject({ stoppedEarly: true, interrupted: false });
    expect(result.history).toHaveLength(result.bestEpoch + 1);
  });

  it('says what is wrong', async () => {
    const before = tensorCount();
    const gone = { ...train[0]!, path: join(root, 'gone.png') };
    expect(
      await rejection(trainNetwork(training('gone', { train: [...train.slice(0, 20), gone] }))),
    ).toMatchObject({ code: 'dataset_changed', message: expect.stringContaining('gone.png') as string });
    expect(await rejection(trainNetwork(training('odd', { inputSize: 100 })))).toMatchObject({
      code: 'training_invalid',
      message: expect.stringMatching(/100 is not a multiple of 16.*crop 64 is not the input size/) as string,
    });
    const aborted = training('aborted', { signal: AbortSignal.abort() });
    expect(await rejection(trainNetwork(aborted))).toMatchObject({ code: 'interrupted' });
    expect(tensorCount()).toBe(before);
  });
});
