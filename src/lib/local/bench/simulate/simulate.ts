/**
 * `bench --simulate`: consumers whose store and model answer at once, against the topic and the database as they are, to the
 * limit; and what bounds them. First they share the partitions out and stand idle, then they are started again before a
 * backlog.
 */
import { cpus } from 'node:os';
import type { Pool } from 'pg';
import { pause } from '../../../base/flow/waiting.ts';
import { counted } from '../../../base/report/table.ts';
import { sum } from '../../../base/statistics.ts';
import { type Machine, machine } from '../bench.ts';
import type { Scratch } from '../scratch.ts';
import { sendKeys } from '../stages/stream.ts';
import { type ConsumerSample, difference, elapsed, Fleet, type SimulatedConsumer } from './fleet.ts';
import { commits, databaseCpu, databaseTime, Looks } from './sessions.ts';

export interface SimulateOptions {
  consumers: number;
  /** So many messages; absent: enough for `seconds`. */
  count?: number;
  seconds: number;
  signal: AbortSignal;
  say: (text: string) => void;
}

export interface SimulateResult {
  machine: Machine;
  infrastructure: string;
  partitions: number;
  consumers: number;
  /** Until every partition had an owner and shares differed by one at most, the start of the processes included. */
  balancedSeconds: number;
  idle: Resources & { cores: number; coresADatabase: number | null; transactionsPerSecond: number };
  load: Resources & {
    messages: number;
    rows: number;
    seconds: number;
    rowsPerSecond: number;
    rowsPerTransaction: number;
    transactionMs: number;
    inFlight: { mean: number; most: number };
    /** Microseconds of processor time a row: of the consumers, and of PostgreSQL's sessions where they are here. */
    cpuMicros: { consumers: number; database: number | null };
    /** Shares of the time: of the consumers' JavaScript threads, and of all cores of this machine. */
    busy: { javascript: number; machine: number };
    /** Of the partitions' time, how much passed in waiting for the topic, and in recording. */
    waiting: { topic: number; database: number };
    /** What PostgreSQL's sessions were at when they were looked at, most frequent first. */
    databaseAt: { what: string; share: number }[];
  };
  bound: string;
}

/** Of one consumer where there are several: the mean. */
export interface Resources {
  memoryBytes: number;
  threads: number | null;
  sockets: number | null;
  /** To the database, of all consumers. */
  connections: number;
}

const idleMs = 5000;
/** Share of the messages before and after the time that counts: consumers start, and partitions end one after the other. */
const before = 0.15;
const after = 0.9;
/** Messages at least, and more where there are many partitions: each is to have several transactions. */
const fewest = { all: 2000, partition: 40 };
const most = 2_000_000;

export async function simulate(
  scratch: Pick<Scratch, 'database' | 'topic' | 'pipeline' | 'partitions' | 'describe'>,
  start: () => SimulatedConsumer,
  options: SimulateOptions,
): Promise<SimulateResult> {
  const { consumers, seconds, signal, say } = options;
  const { pool } = scratch.database;
  const topic = await scratch.topic('simulate');
  const keys = Array.from({ length: 10_007 }, (_, n) => `simulated/${n}.jpg`);
  const about = {
    machine: machine(),
    infrastructure: scratch.describe,
    partitions: scratch.partitions,
    consumers,
  };

  say(`${counted(consumers, 'consumer')} on ${counted(scratch.partitions, 'partition')}: idle`);
  let rate: number;
  let balancedSeconds: number;
  let idle: SimulateResult['idle'];
  {
    await using fleet = new Fleet(start, consumers, signal);
    balancedSeconds = await fleet.balanced(scratch.partitions);
    idle = await idleFor(fleet, pool, signal);
    const began = performance.now();
    await sendKeys(topic, keys, fewest.all, 1);
    await fleet.until(fewest.all);
    rate = (fewest.all / (performance.now() - began)) * 1000;
  }
  const least = Math.max(fewest.all, fewest.partition * scratch.partitions);
  const messages = options.count ?? Math.round(Math.min(most, Math.max(least, 2 * rate * seconds)));
  await sendKeys(topic, keys, messages, 2);
  say(`${counted(messages, 'message')} wait`);
  await using fleet = new Fleet(start, consumers, signal);
  const load = await underLoad(fleet, pool, messages, signal);
  const result = { ...about, balancedSeconds, idle, load };
  return { ...result, bound: boundOf(result) };
}

async function idleFor(fleet: Fleet, pool: Pool, signal: AbortSignal): Promise<SimulateResult['idle']> {
  // What a start leaves to be done.
  await pause(idleMs / 2, signal);
  const [first, database, committed] = await Promise.all([fleet.samples(), databaseCpu(pool), commits(pool)]);
  await pause(idleMs, signal);
  const [last, databaseAfter, committedAfter] = await Promise.all([
    fleet.samples(),
    databaseCpu(pool),
    commits(pool),
  ]);
  const seconds = elapsed(first, last) / 1000;
  return {
    ...resources(last, databaseAfter.sessions),
    cores: difference(first, last, 'cpuMs') / 1000 / seconds,
    coresADatabase: databaseTime(database, databaseAfter, seconds * 1000),
    transactionsPerSecond: (committedAfter - committed) / seconds,
  };
}

async function underLoad(
  fleet: Fleet,
  pool: Pool,
  messages: number,
  signal: AbortSignal,
): Promise<SimulateResult['load']> {
  const first = await fleet.until(messages * before);
  const machineBefore = machineTimes();
  const database = await databaseCpu(pool);
  const looking = new Looks(pool);
  const last = await fleet.until(messages * after).finally(() => looking.stop());
  const databaseAfter = await databaseCpu(pool);
  const machineAfter = machineTimes();
  signal.throwIfAborted();
  const ms = elapsed(first, last);
  const of = (what: keyof ConsumerSample) => difference(first, last, what);
  const rows = of('rows');
  const micros = (cpuMs: number) => (cpuMs / rows) * 1000;
  const partitionMs = ms * sum(last.map(({ partitions }) => partitions));
  const databaseMs = databaseTime(database, databaseAfter, 1);
  return {
    ...resources(last, databaseAfter.sessions),
    messages,
    rows,
    seconds: ms / 1000,
    rowsPerSecond: (rows / ms) * 1000,
    rowsPerTransaction: rows / of('transactions'),
    transactionMs: of('recordMs') / of('transactions'),
    inFlight: {
      mean: of('inFlightSum') / Math.max(1, of('inFlightSamples')),
      most: Math.max(...last.map(({ inFlightMost }) => inFlightMost)),
    },
    cpuMicros: {
      consumers: micros(of('cpuMs')),
      database: databaseMs === null ? null : micros(databaseMs),
    },
    busy: {
      javascript: of('loopMs') / ms / last.length,
      machine: 1 - (machineAfter.idle - machineBefore.idle) / (machineAfter.all - machineBefore.all),
    },
    waiting: { topic: of('waitMs') / partitionMs, database: of('recordMs') / partitionMs },
    databaseAt: looking.shares(),
  };
}

function resources(samples: readonly ConsumerSample[], connections: number): Resources {
  const mean = (what: 'memoryBytes' | 'threads' | 'sockets') =>
    sum(samples.map((sample) => sample[what] ?? 0)) / samples.length;
  const known = (what: 'threads' | 'sockets') =>
    samples.some((sample) => sample[what] === null) ? null : mean(what);
  return {
    memoryBytes: mean('memoryBytes'),
    threads: known('threads'),
    sockets: known('sockets'),
    connections,
  };
}

function machineTimes(): { idle: number; all: number } {
  const times = cpus().map((core) => core.times);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((core) => Object.values(core))) };
}

/** What bounds the rate, as far as it can be told from outside. */
export function boundOf({ load, consumers }: Pick<SimulateResult, 'load' | 'consumers'>): string {
  const { busy, cpuMicros, waiting, databaseAt } = load;
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const [at] = databaseAt;
  if (busy.machine > 0.9) {
    const parts = [`consumers ${Math.round(cpuMicros.consumers)} µs a row`];
    if (cpuMicros.database !== null)
      parts.push(`sessions of PostgreSQL ${Math.round(cpuMicros.database)} µs`);
    return `the processor: all cores of this machine are busy (${percent(busy.machine)}; ${parts.join(', ')}, the rest brokers and other programs)`;
  }
  if (busy.javascript > 0.85)
    return `the consumers: ${consumers === 1 ? 'its JavaScript thread is' : 'their JavaScript threads are'} busy (${percent(busy.javascript)}); more consumers use more cores`;
  if (waiting.topic > waiting.database)
    return `the topic: ${percent(waiting.topic)} of the partitions' time is waiting for its messages`;
  return `the database: ${percent(waiting.database)} of the partitions' time is recording${at === undefined ? '' : `; its sessions are mostly at ${at.what} (${percent(at.share)})`}`;
}
