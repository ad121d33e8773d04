/** A model is tried in a process of its own: whatever becomes of that, the process that asked lives and says what happened. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openClassifier } from '../../src/lib/models/classifier/pool.ts';
import { tryModel, type TrialOptions } from '../../src/lib/models/classifier/trial.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { addModel } from '../../src/lib/models/store/add.ts';
import { openModelStore } from '../../src/lib/models/store/store.ts';
import { verifyModel } from '../../src/lib/models/store/verify.ts';
import { ensureBuilt } from '../support/build.ts';
import { crashingModel, endlessModel, greedyModel } from '../support/hostile-models.ts';
import { rejection } from '../support/images.ts';
import { itThorough, thorough } from '../support/thorough.ts';
import { tinyWeights, writeTinyModel } from '../support/tiny-models.ts';

let dir: string;
beforeAll(ensureBuilt);
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'visionscale-trial-'))));
afterEach(() => rm(dir, { recursive: true, force: true }));

const trial = (weights: Uint8Array, more: Partial<TrialOptions> = {}) =>
  tryModel({ weights, engines: ['onnx'], side: 8, inputs: 'two', ...more });

/** Each engine's start takes a second: WebAssembly's in a thorough run. */
const tried = thorough ? (['onnx', 'wasm'] as const) : (['onnx'] as const);

describe('a trial', () => {
  it.each(tried)('tells what a good model answers with %s', async (engine) => {
    const { answers, ...found } = await trial(tinyWeights('mean'), { engines: [engine] });
    expect(found).toEqual({ engine, milliseconds: expect.any(Number) as number });
    expect(answers).toMatchObject([
      { scores: 3, finite: true, min: 0, max: 0, sum: 0, stress: false },
      { scores: 3, finite: true, stress: false },
    ]);
  });

  it('that the runtime does not survive is the model’s fault, with the signal and a question', async () => {
    const error = await rejection(trial(crashingModel()));
    expect(error).toMatchObject({
      code: 'model_invalid',
      message: 'the test inference failed (SIGFPE)',
      hint: expect.stringContaining('Does --size fit the network?') as string,
    });
  });

  itThorough('that WebAssembly does not survive is the model’s fault too', async () => {
    const error = await rejection(trial(crashingModel(), { engines: ['wasm'] }));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect((error as Error).message).toMatch(/test inference failed/);
  });

  it.each(tried)('without end is ended with %s', async (engine) => {
    const error = await rejection(trial(endlessModel(), { engines: [engine], limits: { runMs: 500 } }));
    expect(error).toMatchObject({
      code: 'model_invalid',
      message: 'the test inference is too slow: it takes more than 0.5 s of work',
    });
  });

  it('that takes all memory is ended', async () => {
    const error = await rejection(trial(greedyModel(4), { limits: { memoryBytes: 600 * 2 ** 20 } }));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect((error as Error).message).toMatch(/more than 0\.6 GiB of memory/);
  });

  it('says what the engine says of what is no model', async () => {
    const error = await rejection(trial(Buffer.from('hello')));
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect((error as Error).message).toMatch(/not ONNX/);
  });

  it('says what the engine says of a device that is not there', async () => {
    const device = 'coreml'; // of which no Linux build knows
    expect(await rejection(trial(tinyWeights('mean'), { device }))).toMatchObject({
      code: process.platform === 'darwin' ? (expect.any(String) as string) : 'device_unavailable',
    });
  });
});

describe('what opens a model', () => {
  async function crashing() {
    return writeTinyModel('mean', { 'model.onnx': crashingModel() });
  }

  it('add and verify name the crash and live', async () => {
    await using model = await crashing();
    const adding = addModel(openModelStore(join(dir, 'models')), model.path, {});
    for (const error of [await rejection(adding), await rejection(loadModel(model.path).then(verifyModel))]) {
      expect(error).toMatchObject({ code: 'model_invalid', message: 'the test inference failed (SIGFPE)' });
    }
    expect(await readdir(dir)).not.toContain('models');
  });

  it('a classifier names the crash and lives', async () => {
    await using files = await crashing();
    const model = await loadModel(files.path);
    const opening = openClassifier({ model, engine: 'onnx', workers: 1 });
    const error = await rejection(opening);
    expect(error).toMatchObject({ code: 'model_invalid' });
    expect((error as Error).message).toMatch(/first image with this model: its process ended with SIGFPE/);
  });
});
