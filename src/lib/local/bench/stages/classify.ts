/** Stages `decode`, `preprocess`, `infer` (one thread, our session beside the bare runtime, turn by turn) and `workers` (the pool, by engine and processes). */
import { VisionscaleError } from '../../../base/errors.ts';
import { median, percentile } from '../../../base/statistics.ts';
import type { EngineName } from '../../../models/classifier/classifier.ts';
import { engines } from '../../../models/classifier/engines/engines.ts';
import { rank } from '../../../models/classifier/rank.ts';
import { decodeImage } from '../../../models/images/decode.ts';
import { openPrepare } from '../../../models/images/prepare.ts';
import { openPreprocess } from '../../../models/images/preprocess.ts';
import { measure, type Measured, startClock } from '../measure.ts';
import type { Figure, Stage, StageInput } from '../stage.ts';

export const decodeStage: Stage = async ({ images, limits, autoOrient, seconds, signal }) => {
  const { all } = images;
  const measured = await measure(
    (turn) => decodeImage(all[turn % all.length]!.bytes, { limits, autoOrient }),
    { seconds, signal },
  );
  return { figures: [{ stage: 'decode', name: 'decode', unit: 'images', ...measured }] };
};

/** Decoded images are large: this many are kept. */
const kept = 32;

/** Stage `preprocess`: pixels to the network's input, alone and with decoding, exact and fast; one image at a time. */
export const preprocessStage: Stage = async (input) => {
  const { images, model, limits, autoOrient, seconds, signal } = input;
  const { preprocessing } = model;
  const { all } = images;
  const pixels = await Promise.all(
    all.slice(0, kept).map(({ bytes }) => decodeImage(bytes, { limits, autoOrient })),
  );
  const preprocess = openPreprocess(preprocessing);
  const figures: Figure[] = [];
  const add = async (name: string, work: (turn: number) => unknown) => {
    const measured = await measure(work, { seconds, signal });
    figures.push({ stage: 'preprocess', name, unit: 'images', ...measured });
  };
  await add('resize and normalize, exact', (turn) => preprocess(pixels[turn % pixels.length]!));
  for (const mode of ['exact', 'fast'] as const) {
    const prepare = openPrepare({ preprocessing, mode, limits, autoOrient });
    await add(`decode to input, ${mode}`, (turn) => prepare(all[turn % all.length]!.bytes));
  }
  return { figures };
};

export const inferStage: Stage = async (input) => {
  const { model, engine, seconds, signal } = input;
  const { crop } = model.preprocessing;
  await using session = await engines[engine].open(model.weights, { side: crop });
  const ours = async (image: Float32Array) =>
    rank((await session.run(image, 1)).scores, model.info.labels, model.output);
  await using bare = engine === 'onnx' ? await openBareSession(model.weights, crop) : undefined;

  const inputs = await firstInputs(input);
  const samples = { ours: [] as number[], bare: [] as number[] };
  const time = async (name: keyof typeof samples, run: () => Promise<unknown>) => {
    const began = performance.now();
    await run();
    samples[name].push(performance.now() - began);
  };
  for (const image of inputs.slice(0, 3)) await Promise.all([ours(image), bare?.run(image)]);
  const clock = startClock();
  const until = performance.now() + seconds * 1000;
  for (let turn = 0; turn === 0 || performance.now() < until; turn++) {
    signal.throwIfAborted();
    const image = inputs[turn % inputs.length]!;
    // Whichever comes second finds a warmer cache: they take turns.
    const order = [() => time('ours', () => ours(image)), () => bare && time('bare', () => bare.run(image))];
    if (turn % 2 === 1) order.reverse();
    for (const one of order) await one();
  }
  const { cores, seconds: took } = clock(1);
  const figure = (name: string, each: readonly number[]): Figure => {
    const busy = each.reduce((sum, ms) => sum + ms, 0) / 1000;
    return {
      stage: 'infer',
      name,
      unit: 'images',
      count: each.length,
      seconds: busy,
      rate: each.length / busy,
      ratePerCore: each.length / busy / cores,
      cores,
      medianMs: median(each),
      p99Ms: percentile(each, 99),
    };
  };
  const figures = [figure(`${engine}, as visionscale runs it`, samples.ours)];
  if (bare === undefined) {
    return {
      figures,
      notes: [`the bare loop is onnxruntime-node's; the engine here is ${engine} (${took.toFixed(1)} s)`],
    };
  }
  figures.push(figure('onnxruntime-node, bare', samples.bare));
  return { figures, findings: { overheadOverBare: median(samples.ours) / median(samples.bare) - 1 } };
};

async function firstInputs({ images, model, limits, autoOrient }: StageInput): Promise<Float32Array[]> {
  const prepare = openPrepare({ preprocessing: model.preprocessing, mode: 'exact', limits, autoOrient });
  return Promise.all(images.all.slice(0, 16).map(async ({ bytes }) => (await prepare(bytes)).input));
}

interface BareSession extends AsyncDisposable {
  run(image: Float32Array): Promise<unknown>;
}

/** onnxruntime-node as its own documentation uses it, on one thread: what our own session is compared with. */
async function openBareSession(weights: Uint8Array, side: number): Promise<BareSession> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(weights.slice(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const name = session.inputNames[0]!;
  return {
    run: (image) => session.run({ [name]: new Tensor('float32', image, [1, 3, side, side]) }),
    [Symbol.asyncDispose]: () => session.release(),
  };
}

/** The engine in use with 1, 2, … threads; the others with as many as there may be. */
export const workersStage: Stage = async (input) => {
  const { engine, workers } = input;
  const others = (Object.keys(engines) as EngineName[]).filter((name) => name !== engine);
  const runs = [
    ...[...Array(workers).keys()].map((n) => ({ engine, workers: n + 1 })),
    ...others.map((name) => ({ engine: name, workers })),
  ];
  const figures: Figure[] = [];
  const notes: string[] = [];
  const findings: Record<string, number> = {};
  for (const run of runs) {
    const name = `${run.engine}, ${run.workers} ${run.workers === 1 ? 'worker' : 'workers'}`;
    try {
      const { measured, inferMs } = await classifyAll(input, run);
      figures.push({ stage: 'workers', name, unit: 'images', ...measured });
      findings[`inferMs, ${name}`] = inferMs;
    } catch (error) {
      // An engine that is not installed, or that this model is not made for, is no fault of the rest.
      if (!(error instanceof VisionscaleError) || run.engine === engine) throw error;
      notes.push(`${name}: ${error.message}`);
    }
  }
  return { figures, findings, notes };
};

async function classifyAll(
  input: StageInput,
  run: { engine: EngineName; workers: number },
): Promise<{ measured: Measured; inferMs: number }> {
  const { images, seconds, signal } = input;
  await using classifier = await input.openClassifier(run);
  const infer: number[] = [];
  const measured = await measure(
    async (turn) => {
      // Each call gets bytes of its own: the pool takes them over.
      const bytes = new Uint8Array(images.all[turn % images.all.length]!.bytes);
      infer.push((await classifier.classify(bytes)).stages.infer);
    },
    { seconds, signal, concurrency: run.workers + 1 },
  );
  return { measured, inferMs: median(infer) };
}
