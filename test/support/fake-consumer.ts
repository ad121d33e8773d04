/** `consume` on a real topic and database, with a store and a classifier whose behaviour a test sets. */
import { onTestFinished } from 'vitest';
import type { Classification } from '../../src/lib/base/classification.ts';
import { ObjectError } from '../../src/lib/base/errors.ts';
import { defaultEndurance } from '../../src/lib/config/settings/consume.ts';
import type { Classifier } from '../../src/lib/models/classifier/classifier.ts';
import { consume, type Share } from '../../src/lib/pipeline/consume/consume.ts';
import { oneModel } from '../../src/lib/pipeline/consume/models.ts';
import type { ConsumeDeps, ConsumeEvent, ConsumeOptions } from '../../src/lib/pipeline/consume/options.ts';
import type { GetOptions, ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { testDatabase } from './database.ts';

/** What a store throws. */
export const fault = (code: string) => new ObjectError(code, { code, retryable: code === 'unavailable' });

/** A topic of one partition, embedded unless given, that asks for `keys`. */
export async function setUp(keys: string[], given?: Topic) {
  const database = await testDatabase();
  const { pool } = database;
  const topic = given ?? (await openEmbeddedTopic({ pool, name: 'images', pollMs: 50 }));
  if (given === undefined) await topic.create(1);
  const producer = await topic.producer();
  if (keys.length > 0)
    await producer.send(keys.map((key) => ({ key: null, value: Buffer.from(key), headers: {} })));
  await producer[Symbol.asyncDispose]();

  const state = {
    /** Null: the object is there. */
    storeFault: (_key: string): Error | null => null,
    classify: (_key: string, _signal?: AbortSignal): Promise<void> => Promise.resolve(),
    /** Processor time that the classifier says it has taken. */
    workedMs: 0,
    bytes: 10,
    atOnce: 0,
    mostAtOnce: 0,
    held: 0,
    mostHeld: 0,
  };
  const store = {
    kind: 'file',
    url: 'file:///test',
    exists: () => Promise.resolve(true),
    async get(key: string, { admit }: GetOptions) {
      const error = state.storeFault(key);
      if (error) throw error;
      await admit?.(state.bytes);
      state.held += state.bytes;
      state.mostHeld = Math.max(state.mostHeld, state.held);
      return Buffer.from(key);
    },
  } as unknown as ObjectStore;
  const model = { name: 'm', version: '1', digest: `sha256:${'0'.repeat(64)}`, labels: ['thing'] };
  const classifier = {
    engine: 'onnx',
    workers: 2,
    model,
    workedMs: () => state.workedMs,
    async classify(image: Uint8Array, signal?: AbortSignal): Promise<Classification> {
      state.mostAtOnce = Math.max(state.mostAtOnce, ++state.atOnce);
      try {
        await new Promise((resolve) => setImmediate(resolve));
        await state.classify(Buffer.from(image).toString(), signal);
        const top = [{ category: 'thing', confidence: 90 }];
        return { model, top, stages: { decode: 0, preprocess: 0, infer: 0 } };
      } finally {
        state.atOnce--;
        state.held -= state.bytes;
      }
    },
  } as unknown as Classifier;

  const stop = new AbortController();
  const events: ConsumeEvent[] = [];
  const listeners = new Set<(event: ConsumeEvent) => void>();
  const seen = (wanted: (event: ConsumeEvent) => boolean) =>
    new Promise<void>((resolve) => {
      const look = (event: ConsumeEvent) => wanted(event) && resolve();
      listeners.add(look);
      events.forEach(look);
    });
  const run = (
    options: Partial<ConsumeOptions> = {},
    deps: Partial<ConsumeDeps> = {},
    share: Share = { kind: 'partition', partition: 0 },
  ) =>
    consume(
      {
        pool,
        topic,
        store,
        models: oneModel(classifier),
        report: (event) => {
          events.push(event);
          listeners.forEach((look) => look(event));
        },
        ...deps,
      },
      {
        pipeline: 'p',
        owner: 'us',
        hostname: 'h',
        maxImageBytes: 1000,
        imageMemoryBytes: 1000,
        untilDrained: true,
        skipExpired: false,
        signal: stop.signal,
        ...defaultEndurance,
        ...options,
      },
      share,
    );
  const outcomes = async () => {
    const { rows } = await pool.query<{ key: string; code: string | null }>(
      `select image_key as key, null as code from prediction_results
       union all select image_key, code from dead_letters order by 1`,
    );
    return Object.fromEntries(rows.map(({ key, code }) => [key, code]));
  };
  onTestFinished(async () => {
    stop.abort();
    await topic[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
  return { pool, topic, state, run, outcomes, events, seen, stop };
}
