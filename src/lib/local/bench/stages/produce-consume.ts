/** Stages `produce` and `consume`: the stream's own ceilings, without a model. */
import { produce } from '../../../pipeline/produce.ts';
import { imageTable } from '../../../systems/database/tables/images.ts';
import type { ObjectStore } from '../../../systems/objects/store.ts';
import { instantClassifier } from '../instant.ts';
import { measure } from '../measure.ts';
import type { Figure, Stage, StageInput } from '../stage.ts';
import { drain, putImages, sendKeys } from './stream.ts';

/** Rows of the table; every turn sends them all once more. */
const rows = 5000;

export const produceStage: Stage = async (input) => {
  const { seconds, signal } = input;
  const scratch = await input.scratch();
  const { pool } = scratch.database;
  const topic = await scratch.topic('produce');
  const images = Array.from({ length: rows }, (_, n) => ({
    key: `bench/produce/${String(n).padStart(6, '0')}.jpg`,
    sha256: 'none',
    bytes: 0,
    contentType: 'image/jpeg',
  }));
  const table = imageTable(pool);
  for (let from = 0; from < rows; from += 1000) await table.save(images.slice(from, from + 1000));
  try {
    const measured = await measure(
      async (turn) => {
        const options = { again: turn > 0, partitions: scratch.partitions, signal };
        const { produced } = await produce({ pool, topic, report: () => undefined }, options);
        if (produced !== rows) throw new Error(`${produced} of ${rows} keys were produced`);
      },
      { seconds, signal, warmUp: 1 },
    );
    const figure = {
      ...measured,
      count: measured.count * rows,
      rate: measured.rate * rows,
      ratePerCore: measured.ratePerCore * rows,
      medianMs: measured.medianMs / rows,
      p99Ms: measured.p99Ms / rows,
    };
    return { figures: [{ stage: 'produce', name: `produce, ${topic.kind} topic`, unit: 'keys', ...figure }] };
  } finally {
    // These keys have no image: no later stage may ask for them.
    await pool.query('truncate image_info, produce_rounds');
  }
};

/** Messages of the first, short drain, which tells how many fill the time. */
const firstMessages = 300;
const mostMessages = 50_000;

export const consumeStage: Stage = async (input) => {
  const { seconds } = input;
  const scratch = await input.scratch();
  await putImages(input, scratch);
  const topic = await scratch.topic('consume');
  const keys = input.images.all.map(({ name }) => name);
  const classifier = instantClassifier(input.model.info, input.engine);
  const figures: Figure[] = [];
  let round = 0;
  await using results = await scratch.results(topic);
  const memory = memoryStore(scratch.store, input);
  const runs = [
    { name: `no store, no model (${topic.kind} topic, rows)`, store: memory, results: null },
    ...(results === null ? [] : [{ name: 'the same, results published too', store: memory, results }]),
    { name: `no model (${scratch.store.kind} store)`, store: scratch.store, results },
  ];
  for (const { name, store, results } of runs) {
    const run = async (messages: number) => {
      await sendKeys(topic, keys, messages, ++round);
      return drain({ scratch, topic, store, classifier, results }, input);
    };
    const { rate } = await run(firstMessages);
    const measured = await run(Math.max(1, Math.min(mostMessages, Math.round(rate * seconds))));
    // Many messages are under way at once: of a single one this tells nothing.
    figures.push({ stage: 'consume', name, unit: 'images', ...measured, medianMs: NaN, p99Ms: NaN });
  }
  return { figures };
};

/** Answers `get` from memory; the rest is the real store's. */
function memoryStore(store: ObjectStore, { images }: StageInput): ObjectStore {
  const contents = new Map(images.all.map(({ name, bytes }) => [name, bytes]));
  return {
    kind: store.kind,
    url: 'memory:',
    create: () => store.create(),
    exists: () => store.exists(),
    put: (key, body, options) => store.put(key, body, options),
    get: (key) => Promise.resolve(Buffer.from(contents.get(key)!)),
    head: (key) => store.head(key),
    remove: (key) => store.remove(key),
    list: (prefix) => store.list(prefix),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
