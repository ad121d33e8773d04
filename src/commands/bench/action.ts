/** What `bench` does: gets the images, runs the stages in a scratch place, removes it, and prints the figures. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from '../../compose.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { usableCores } from '../../lib/base/sandbox/parallelism.ts';
import { compare, comparisonReport, readBaseline } from '../../lib/local/bench/baseline.ts';
import { bench, benchReport } from '../../lib/local/bench/bench.ts';
import { drawImages, readImages } from '../../lib/local/bench/images.ts';
import { openScratch, type Scratch } from '../../lib/local/bench/scratch.ts';
import { type StageName, stageNames } from '../../lib/local/bench/stage.ts';
import { openClassifier } from '../../lib/models/classifier/pool.ts';
import { openers } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';

export interface BenchFlags {
  stages?: StageName[];
  seconds: number;
  check?: string;
}

export default async function (
  context: Context,
  given: string | undefined,
  flags: BenchFlags,
): Promise<number> {
  const { config, say, signal, onNotice } = context;
  const baseline = flags.check === undefined ? null : readBaseline(flags.check);
  const { limits, autoOrient, preprocess, workers = usableCores() } = config;
  if (given !== undefined) await checkPaths([given]);
  const model = await loadModel(config);
  await using place = await temporaryDirectory();
  const images =
    given === undefined
      ? await drawImages(join(place.path, 'drawn'))
      : await readImages(given, limits, signal);
  await using scratch = new Once(() =>
    openScratch(config, {
      directory: join(place.path, 'data'),
      id: randomBytes(4).toString('hex'),
      openers: (own) => openers({ ...context, config: own }),
      onNotice,
    }),
  );
  const open = (options: { engine: typeof config.engine; workers: number }) =>
    openClassifier({ model, limits, autoOrient, preprocess, device: config.device, onNotice, ...options });
  const engine = await engineOf(() => open({ engine: config.engine, workers: 1 }));
  const result = await bench(
    {
      ...{ images, model, engine, workers, preprocess, autoOrient, limits, signal },
      seconds: flags.seconds,
      openClassifier: open,
      scratch: () => scratch.get(),
    },
    baseline === null ? (flags.stages ?? stageNames) : [...(flags.stages ?? []), 'end-to-end'],
    (stage) => say(`bench: ${stage}`),
  );
  if (baseline === null) {
    context.print(result, () => benchReport(result));
    return 0;
  }
  const comparisons = compare(baseline, result.findings);
  context.print(
    { ...result, comparisons },
    () => `${benchReport(result)}\n\n${comparisonReport(comparisons)}`,
  );
  return comparisons.every(({ ok }) => ok) ? 0 : 1;
}

/** What `auto` comes to here. */
async function engineOf(open: () => ReturnType<typeof openClassifier>) {
  await using classifier = await open();
  return classifier.engine;
}

/** Opened when it is first asked for. */
class Once implements AsyncDisposable {
  readonly #open: () => Promise<Scratch>;
  #opened: Promise<Scratch> | undefined;

  constructor(open: () => Promise<Scratch>) {
    this.#open = open;
  }

  get(): Promise<Scratch> {
    return (this.#opened ??= this.#open());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }
}

export async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'visionscale-bench-'));
  // The embedded database's keeper ends a moment after its last user.
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 40, retryDelay: 250 });
  return { path, [Symbol.asyncDispose]: remove };
}
