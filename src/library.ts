/**
 * For programs that embed visionscale: `import { classify, createPipeline } from 'visionscale'`. The functions are those of
 * the commands, and their settings have the same names (docs/settings.md). Nothing is printed, no signal is caught and the
 * process is never ended: the caller's `signal` stops what runs. What is expected to fail throws a VisionscaleError.
 */
import type { Pool } from 'pg';
import { pino } from 'pino';
import { openReadyStore, openers } from './commands/shared/opening.ts';
import type { Context } from './commands/shared/run.ts';
import { openClassifier, openDatabase, openTopic } from './compose.ts';
import type { Classification, ModelInfo, Score } from './lib/base/classification.ts';
import { isRetryable, UsageError, type VisionscaleError } from './lib/base/errors.ts';
import { patience } from './lib/base/flow/retry.ts';
import type {
  ConsumeResult,
  ProduceResult,
  RequestOutcome,
  Result,
  ResultRow,
  UploadResult,
} from './lib/base/results.ts';
import { loadConfig } from './lib/config/load.ts';

export { VisionscaleError } from './lib/base/errors.ts';
export type { Classification, ModelInfo, Score } from './lib/base/classification.ts';
export type {
  ConsumeResult,
  ProduceResult,
  RequestOutcome,
  Result,
  ResultRow,
  UploadResult,
} from './lib/base/results.ts';

// Types are from files that import no package, or stand here, so that the declarations need none either.

/** Where, and with what. */
export interface Options {
  /**
   * Settings by the names of their variables, as in docs/settings.md; they win over the environment of the process. The
   * AWS SDK takes its credentials from that environment alone.
   */
  settings?: Readonly<Record<string, string | undefined>>;
  /** Told what a person should know and no result depends on. */
  onNotice?: (text: string) => void;
  /** Stops what runs, in good order. */
  signal?: AbortSignal;
}

export interface ClassifyOptions extends Options {
  include?: readonly string[];
  exclude?: readonly string[];
  /** Symbolic links that lead out of the directory are followed. */
  followLinks?: boolean;
  /** Files that are not images by name are rejected instead of passed over. */
  strict?: boolean;
  /** Most files to look at. */
  limit?: number;
}

export type Classified =
  | {
      kind: 'classified';
      /** Path below the given directory. */
      image: string;
      category: string;
      /** Percent, 0 to 100. */
      confidence: number;
      /** The five best, best first. */
      top: Score[];
      /** How unlike every class; 1 or more: unknown. Null where the model does not tell. */
      novelty: number | null;
      /** The model's name. */
      model: string;
      /** `sha256:` and 64 hex digits. */
      modelDigest: string;
    }
  | { kind: 'rejected'; path: string; reason: string };

/**
 * The images of a file or directory on this machine, in the order of their paths: `visionscale classify --local`. Throws
 * `no_model` where none is chosen (VISIONSCALE_MODEL, or `visionscale model pull`), and `usage` where there is no such path.
 */
export async function* classify(path: string, options: ClassifyOptions = {}): AsyncGenerator<Classified> {
  const context = contextOf(options);
  const { classify: classifyFiles } = await import('./lib/local/classify/classify.ts');
  await using classifier = await openClassifier(context);
  const { include, exclude, followLinks, strict, limit } = options;
  const outcomes = classifyFiles(classifier, {
    path,
    ...(include !== undefined && { include }),
    ...(exclude !== undefined && { exclude }),
    ...(followLinks !== undefined && { followLinks }),
    ...(strict !== undefined && { strict }),
    ...(limit !== undefined && { limit }),
    maxBytes: context.config.limits.maxBytes,
    signal: context.signal,
  });
  for await (const outcome of outcomes) {
    if (outcome.kind === 'classified') yield { kind: 'classified', ...outcome.result };
    else if (outcome.kind === 'rejected') yield { kind: 'rejected', ...outcome.rejection };
  }
}

/** A model in worker processes of its own, for images in memory. */
export interface ImageClassifier extends AsyncDisposable {
  readonly model: ModelInfo;
  /** Rejects with a VisionscaleError whose code says what is wrong with the image. Takes over memory that `image` owns. */
  classify(image: Uint8Array, signal?: AbortSignal): Promise<Classification>;
}

/** Throws `no_model` where none is chosen. */
export function createClassifier(options: Options = {}): Promise<ImageClassifier> {
  return openClassifier(contextOf(options));
}

export interface SubmitOptions {
  /** What the image is called; its key ends with it. */
  name?: string;
  belt?: string;
  /** Default: now. */
  capturedAt?: Date;
  /** The same image again under the same key is the same request. */
  idempotencyKey?: string;
}

/** Which partitions to own: one, or what a Kafka group assigns; default: a fair share. */
export interface PipelineConsumeOptions {
  partition?: number;
  group?: boolean;
  /** Stop when caught up with the end as it was at the start. */
  untilDrained?: boolean;
  signal?: AbortSignal;
}

export interface PipelineUploadOptions {
  include?: readonly string[];
  exclude?: readonly string[];
  /** Symbolic links that lead out of a path are followed. */
  followLinks?: boolean;
  /** Files that are not images by name are rejected instead of passed over. */
  strict?: boolean;
  /** A folder to put all keys in. */
  prefix?: string;
  /** Images at a time, each whole in memory; default 16. */
  concurrency?: number;
  /** Look and tell, but write nothing. */
  dryRun?: boolean;
  /** Also ask the store whether what would be skipped is still there. */
  recheck?: boolean;
}

export interface PipelineProduceOptions {
  /** Send everything once more, in a new round. */
  again?: boolean;
  /** Most keys to send. */
  limit?: number;
  /** Most keys a second. */
  rate?: number;
  belt?: string;
  /** Go on with what is uploaded later, until the signal. */
  follow?: boolean;
  signal?: AbortSignal;
}

export interface InitResult {
  database: { where: string; created: boolean; applied: string[] };
  topic: { name: string; created: boolean; partitions: number };
  /** Of results and dead letters. */
  resultTopics: { name: string; created: boolean; partitions: number }[];
  store: { url: string; created: boolean };
  warnings: string[];
}

export interface ResultsFilter {
  key?: string;
  category?: string;
  bin?: string;
  /** Only what is like none of the model's classes. */
  unknown?: boolean;
  since?: Date;
  /** Default 20. */
  limit?: number;
}

/** A pipeline as the settings name it, whole or in part in other processes. Connects at the first use. */
export interface Pipeline extends AsyncDisposable {
  /** `visionscale init`: database, topic, object store; safe to run again. */
  init(): Promise<InitResult>;
  /** `visionscale upload`: images of files and directories into the store, their keys into the database. */
  upload(paths: readonly string[], options?: PipelineUploadOptions): Promise<UploadResult>;
  /** `visionscale produce`: the keys that have not been sent yet, through the topic. */
  produce(options?: PipelineProduceOptions): Promise<ProduceResult>;
  /** One image from memory, as POST /v1/images takes it: resolves when the topic has acknowledged it. */
  submit(image: Uint8Array, options?: SubmitOptions): Promise<{ id: string; imageKey: string }>;
  /** `visionscale consume`: classifies until the signal or, with `untilDrained`, until caught up. */
  consume(options?: PipelineConsumeOptions): Promise<ConsumeResult>;
  /** The latest results, newest first. */
  results(filter?: ResultsFilter): Promise<ResultRow[]>;
  /** The outcomes there are by now, of requests by their ids. */
  outcomes(ids: readonly string[]): Promise<RequestOutcome[]>;
  /** Each result that is written from now on. */
  follow(signal?: AbortSignal): AsyncGenerator<Result>;
}

/** Throws `usage` where the settings are wrong; connects to nothing yet. */
export function createPipeline(options: Options = {}): Pipeline {
  return new OpenedPipeline(options);
}

const silentLog = pino({ enabled: false });

class OpenedPipeline implements Pipeline {
  readonly #context: Context;
  /** In the order in which they were opened. */
  readonly #opened: AsyncDisposable[] = [];

  constructor(options: Options) {
    this.#context = contextOf(options);
  }

  readonly #database = this.#once(() => openDatabase(this.#context));
  readonly #topic = this.#once(async () => openTopic(this.#context, await this.#database()));
  readonly #store = this.#once(() => openReadyStore(this.#context));
  readonly #looking = this.#once(async () => {
    const { openImagesApart } = await import('./lib/models/images/apart.ts');
    return openImagesApart(this.#context.config.limits, this.#context.onNotice);
  });
  readonly #producer = this.#once(async () => {
    const topic = await this.#topic();
    await topic.create(this.#context.config.topic.partitions);
    return topic.producer();
  });

  /** Opens at the first call, and again at the next one where that failed. */
  #once<T extends AsyncDisposable>(open: () => Promise<T>): () => Promise<T> {
    let opening: Promise<T> | undefined;
    return () =>
      (opening ??= open().then(
        (opened) => {
          this.#opened.push(opened);
          return opened;
        },
        (error: unknown) => {
          opening = undefined;
          throw error;
        },
      ));
  }

  async init(): Promise<InitResult> {
    const { init } = await import('./lib/pipeline/init.ts');
    return init(this.#context.config, openers(this.#context));
  }

  async upload(paths: readonly string[], options: PipelineUploadOptions = {}): Promise<UploadResult> {
    const { config, signal } = this.#context;
    const [{ upload }, { imageTable }, store, looking, pool] = await Promise.all([
      import('./lib/pipeline/upload/upload.ts'),
      import('./lib/systems/database/tables/images.ts'),
      this.#store(),
      this.#looking(),
      this.#pool(),
    ]);
    const check = (bytes: Buffer) => looking.structure(bytes);
    return upload(
      { store, images: imageTable(pool), check, signal, report: () => undefined },
      { ...options, paths, maxBytes: config.limits.maxBytes, giveUpAfterMs: config.giveUpAfterMs },
    );
  }

  async produce(options: PipelineProduceOptions = {}): Promise<ProduceResult> {
    const { config } = this.#context;
    const { produce } = await import('./lib/pipeline/produce.ts');
    const [pool, topic] = [await this.#pool(), await this.#topic()];
    const { signal, again = false, ...others } = options;
    return produce(
      { pool, topic, report: () => undefined },
      {
        ...others,
        again,
        partitions: config.topic.partitions,
        giveUpAfterMs: config.giveUpAfterMs,
        signal: this.#until(signal),
      },
    );
  }

  async submit(image: Uint8Array, options: SubmitOptions = {}): Promise<{ id: string; imageKey: string }> {
    const { config } = this.#context;
    if (image.byteLength > config.limits.maxBytes)
      throw new UsageError(
        `the image has ${image.byteLength} bytes, more than VISIONSCALE_MAX_IMAGE_BYTES (${config.limits.maxBytes})`,
      );
    const { ingest } = await import('./lib/pipeline/serve/ingest.ts');
    const [pool, store, looking] = await Promise.all([this.#pool(), this.#store(), this.#looking()]);
    const producer = await this.#producer();
    const { ingest: mode, maxInlineBytes } = config.http;
    const { id, imageKey } = await ingest(
      { pool, store, producer, looking },
      { pipeline: config.pipeline, mode, maxInlineBytes },
      {
        bytes: Buffer.from(image),
        name: options.name,
        belt: options.belt ?? null,
        capturedAt: (options.capturedAt ?? new Date()).getTime(),
        traceparent: null,
        idempotencyKey: options.idempotencyKey ?? null,
        token: null,
        index: 0,
      },
    );
    return { id, imageKey };
  }

  async consume({ signal, ...flags }: PipelineConsumeOptions = {}): Promise<ConsumeResult> {
    const { runConsumer } = await import('./commands/consume/action.ts');
    const given = new AbortController();
    const context = {
      ...this.#context,
      signal: AbortSignal.any([this.#until(signal), given.signal]),
      giveUp: (error: VisionscaleError) => given.abort(error),
    };
    try {
      return await runConsumer(context, flags);
    } catch (error) {
      if (!context.signal.aborted || !isRetryable(error)) throw error;
      // Told to stop while something was away: nothing was begun that is not recorded.
      return { predicted: 0, deadLettered: 0, ignored: 0, seconds: 0, imagesPerSecond: 0, classifyMs: null };
    } finally {
      given.signal.throwIfAborted();
    }
  }

  async results({ limit = 20, ...filter }: ResultsFilter = {}): Promise<ResultRow[]> {
    const { latestResults } = await import('./lib/systems/database/tables/predictions.ts');
    return latestResults(await this.#pool(), { ...filter, pipeline: this.#context.config.pipeline, limit });
  }

  async outcomes(ids: readonly string[]): Promise<RequestOutcome[]> {
    const { findOutcomes } = await import('./lib/systems/database/tables/results.ts');
    return findOutcomes(await this.#pool(), this.#context.config.pipeline, ids);
  }

  async *follow(signal?: AbortSignal): AsyncGenerator<Result> {
    const { pipeline } = this.#context.config;
    const [{ resultsAfter }, { rowsFromNow }] = await Promise.all([
      import('./lib/systems/database/tables/results.ts'),
      import('./lib/systems/database/tables/stream.ts'),
    ]);
    const pool = await this.#pool();
    const until = this.#until(signal);
    const patiently = patience({ signal: until, forMs: this.#context.config.giveUpAfterMs }, (reason) => {
      if (reason !== null) this.#context.onNotice(reason);
    });
    const rows = rowsFromNow(pool, (place, limit) => resultsAfter(pool, pipeline, place, limit), {
      patiently,
      signal: until,
    });
    for await (const { result } of rows) yield result;
  }

  async #pool(): Promise<Pool> {
    return (await this.#database()).pool;
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#context.signal : AbortSignal.any([this.#context.signal, signal]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.splice(0).reverse()) await opened[Symbol.asyncDispose]();
  }
}

const credentials = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'];

/** What a command would be handed, of a program that prints nothing and whose process is not ours. */
function contextOf({ settings = {}, onNotice = () => undefined, signal }: Options): Context {
  const misplaced = credentials.filter((name) => settings[name] !== undefined);
  if (misplaced.length > 0)
    throw new UsageError(
      `${misplaced.join(', ')} cannot be given as a setting of the library`,
      'The AWS SDK reads it from the environment of the process: set it there.',
    );
  const env = { ...process.env, ...settings };
  // ONNX Runtime 1.30 reports its use to its maker, and leaves files about it in the temporary directory: not from here.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const until = signal ?? new AbortController().signal;
  return {
    config: loadConfig(env),
    env,
    service: undefined,
    json: true,
    yes: false,
    interactive: false,
    log: silentLog,
    signal: until,
    stoppedBy: () => (until.aborted ? 'its caller' : null),
    giveUp: () => undefined,
    ownsProcess: false,
    onNotice,
    say: onNotice,
    print: () => undefined,
  };
}
