/**
 * A consumer of `bench --simulate`, in a process of its own: topic, database and everything between them are the product's;
 * store and classifier answer at once. It counts, and tells when it is asked.
 */
import { readdir, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { openDatabase, openResultTopics, openTopic, ownerName } from '../../compose.ts';
import { endWithin } from '../../lib/base/end-within.ts';
import { errorMessage } from '../../lib/base/errors.ts';
import { type Environment, loadConfig } from '../../lib/config/load.ts';
import { instantClassifier } from '../../lib/local/bench/instant.ts';
import { scratchConfig, scratchTopic } from '../../lib/local/bench/scratch.ts';
import type { ConsumerSample } from '../../lib/local/bench/simulate/fleet.ts';
import { consume, type ConsumeEvent } from '../../lib/pipeline/consume/consume.ts';
import { oneModel } from '../../lib/pipeline/consume/models.ts';
import { endMs } from '../../lib/pipeline/consume/options.ts';
import { Presence } from '../../lib/pipeline/consume/presence.ts';
import { ServerWatch } from '../../lib/pipeline/server-watch.ts';
import type { ObjectStore } from '../../lib/systems/objects/store.ts';
import type { Reader, Topic } from '../../lib/systems/topic/topic.ts';

/** What the parent says first; after that every message asks for a sample. */
export interface SimulatedOrder {
  /** Settings, by the names of their variables. */
  env: Environment;
  scratch: { directory: string; id: string; partitions: number };
  stage: string;
  group: boolean;
}

export type SimulatedAnswer = { kind: 'sample'; sample: ConsumerSample } | { kind: 'failed'; reason: string };

const stop = new AbortController();
const owned = new Set<number>();
const counts = { taken: 0, rows: 0, transactions: 0, recordMs: 0, waitMs: 0, waits: 0 };
const inFlight = { sum: 0, samples: 0, most: 0 };

setInterval(() => {
  const now = counts.taken - counts.rows;
  if (now > 0) inFlight.samples++;
  inFlight.sum += now;
  inFlight.most = Math.max(inFlight.most, now);
}, 25).unref();

async function run({ env, scratch, stage, group }: SimulatedOrder): Promise<void> {
  const own = scratchConfig(loadConfig(env), scratch.directory, scratch.id);
  const config = scratchTopic(own, scratch.id, stage, scratch.partitions);
  const compose = { config, onNotice: () => undefined };
  await using database = await openDatabase(compose, 'ready');
  await using topic = await openTopic(compose, database);
  await using results = await openResultTopics(compose, database, topic);
  const classifier = instantClassifier();
  const owner = ownerName();
  const { signal } = stop;
  const { pipeline, endurance, imageMemoryBytes, limits } = config;
  const of = { owner, hostname: hostname(), pipeline, topic: topic.name };
  const share = { kind: group ? ('group' as const) : ('any' as const) };
  await using presence = new Presence(
    {
      pool: database.pool,
      classifier: () => classifier,
      signal,
      servers: new ServerWatch(),
      drifts: () => [],
    },
    { ...of, share: share.kind, partition: null },
  );
  const report = (event: ConsumeEvent) => {
    presence.see(event);
    if (event.kind === 'owning') owned.add(event.partition);
    if (event.kind === 'released') owned.delete(event.partition);
    if (event.kind === 'dead letter') throw new Error(`a dead letter: ${event.message}`);
    if (event.kind !== 'recorded') return;
    counts.rows += event.predicted;
    counts.transactions++;
    counts.recordMs += event.ended - event.began;
  };
  await consume(
    {
      pool: database.pool,
      topic: timed(topic),
      store: emptyStore,
      models: oneModel(classifier),
      report,
      ...(results !== null && { results }),
    },
    {
      ...{ pipeline, owner, imageMemoryBytes, signal, ...endurance },
      ...{ hostname: of.hostname, maxImageBytes: limits.maxBytes, untilDrained: false, skipExpired: false },
    },
    share,
  );
}

/** The topic, with what is taken from it and how long that is waited for. */
function timed(topic: Topic): Topic {
  return withMethods(topic, {
    reader: async (options) => {
      const reader = await topic.reader(options);
      return withMethods<Reader>(reader, { records: (signal) => counted(reader.records(signal)) });
    },
  });
}

async function* counted<T>(records: AsyncIterable<T>): AsyncGenerator<T> {
  let asked = performance.now();
  for await (const record of records) {
    counts.waitMs += performance.now() - asked;
    counts.waits++;
    counts.taken++;
    yield record;
    asked = performance.now();
  }
}

function withMethods<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const nothing = () => Promise.reject(new Error('the simulated store only answers'));
const emptyStore: ObjectStore = {
  kind: 'file',
  url: 'memory:',
  create: nothing,
  exists: () => Promise.resolve(true),
  put: nothing,
  get: () => Promise.resolve(Buffer.alloc(0)),
  head: nothing,
  remove: nothing,
  // eslint-disable-next-line require-yield
  list: async function* () {
    await nothing();
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

async function sample(): Promise<ConsumerSample> {
  const { user, system } = process.cpuUsage();
  return {
    ...counts,
    at: performance.timeOrigin + performance.now(),
    partitions: owned.size,
    inFlightSum: inFlight.sum,
    inFlightSamples: inFlight.samples,
    inFlightMost: inFlight.most,
    cpuMs: (user + system) / 1000,
    loopMs: performance.eventLoopUtilization().active,
    memoryBytes: process.memoryUsage.rss(),
    threads: (await entries('/proc/self/task'))?.length ?? null,
    sockets: await openSockets(),
  };
}

async function openSockets(): Promise<number | null> {
  const files = await entries('/proc/self/fd');
  if (files === null) return null;
  const targets = await Promise.all(files.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target.startsWith('socket:')).length;
}

function entries(directory: string): Promise<string[] | null> {
  return readdir(directory).catch(() => null);
}

function answer(message: SimulatedAnswer): void {
  process.send?.(message);
}

process.on('disconnect', () => {
  stop.abort();
  endWithin(endMs);
});
process.once('message', (order: SimulatedOrder) => {
  process.on('message', () => void sample().then((sample) => answer({ kind: 'sample', sample })));
  run(order).then(
    () => process.exit(0),
    (error: unknown) => {
      answer({ kind: 'failed', reason: errorMessage(error) });
      stop.abort();
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
