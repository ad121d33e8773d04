/**
 * `bench --simulate`: consumers whose store and model answer at once, against the topic and the database as they are, to the
 * limit; and what bounds them. First they share the partitions out and stand idle, then they are started again before a
 * backlog.
 */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { Pool } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import { pause } from '../../base/flow/waiting.ts';
import { counted, formatBytes, table } from '../../base/report/table.ts';
import { cpuTimeMsNow } from '../../base/sandbox/work-clock.ts';
import { sum } from '../../base/statistics.ts';
import { type Machine, machine } from './bench.ts';
import type { Scratch } from './scratch.ts';
import { sendKeys } from './stages/stream.ts';

/** What a consumer tells of itself; all counts from its start on. */
export interface ConsumerSample {
  /** Milliseconds since the epoch. */
  at: number;
  /** Owned now. */
  partitions: number;
  /** Messages that came from the topic, and how often and how long they were waited for, all partitions together. */
  taken: number;
  waits: number;
  waitMs: number;
  rows: number;
  transactions: number;
  /** From the begin of each transaction to its commit. */
  recordMs: number;
  /** Messages that were taken and not yet recorded: sampled while there were any. */
  inFlightSum: number;
  inFlightSamples: number;
  inFlightMost: number;
  /** Processor time of all threads, and of the JavaScript thread alone. */
  cpuMs: number;
  loopMs: number;
  memoryBytes: number;
  /** Null where the system does not tell. */
  threads: number | null;
  sockets: number | null;
}

/** A consumer in a process of its own. Disposing ends it. */
export interface SimulatedConsumer extends AsyncDisposable {
  /** Throws where it has failed. */
  sample(): Promise<ConsumerSample>;
}

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
interface Resources {
  memoryBytes: number;
  threads: number | null;
  sockets: number | null;
  /** To the database, of all consumers. */
  connections: number;
}

const lookMs = 100;
/** Longest time for the consumers to share the partitions out, in milliseconds. */
const balanceMs = 300_000;
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

/** All consumers together. */
class Fleet implements AsyncDisposable {
  readonly #consumers: SimulatedConsumer[];
  readonly #began = performance.now();
  readonly #signal: AbortSignal;

  constructor(start: () => SimulatedConsumer, count: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#consumers = Array.from({ length: count }, start);
  }

  samples(): Promise<ConsumerSample[]> {
    this.#signal.throwIfAborted();
    return Promise.all(this.#consumers.map((consumer) => consumer.sample()));
  }

  /** Seconds since the start. */
  async balanced(partitions: number): Promise<number> {
    for (;;) {
      const shares = (await this.samples()).map((sample) => sample.partitions);
      const seconds = (performance.now() - this.#began) / 1000;
      const even = Math.max(...shares) - Math.min(...shares) <= 1;
      if (even && sum(shares) === partitions) return seconds;
      if (seconds * 1000 > balanceMs)
        throw new VisionscaleError(
          `after ${Math.round(seconds)} s the partitions are shared as ${shares.join(', ')} of ${partitions}`,
          {
            code: 'bench_failed',
          },
        );
      await pause(lookMs, this.#signal);
    }
  }

  async until(rows: number): Promise<ConsumerSample[]> {
    for (;;) {
      const samples = await this.samples();
      if (sum(samples.map((sample) => sample.rows)) >= rows) return samples;
      await pause(lookMs, this.#signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer[Symbol.asyncDispose]()));
  }
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

function difference(first: ConsumerSample[], last: ConsumerSample[], what: keyof ConsumerSample): number {
  return sum(last.map((sample, nth) => (sample[what] ?? 0) - (first[nth]![what] ?? 0)));
}

/** Mean, in milliseconds. */
function elapsed(first: ConsumerSample[], last: ConsumerSample[]): number {
  return difference(first, last, 'at') / last.length;
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

/** Sessions of the scratch database other than ours, and the processor time of each where it is on this machine. */
interface Sessions {
  sessions: number;
  cpuMs: Map<number, number> | null;
}

async function databaseCpu(pool: Pool): Promise<Sessions> {
  const { rows } = await pool.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  );
  const cpuMs = new Map<number, number>();
  for (const { pid } of rows) {
    const name = await readFile(`/proc/${pid}/comm`, 'latin1').catch(() => '');
    const ms = name.startsWith('postgres') ? cpuTimeMsNow(pid) : undefined;
    if (ms !== undefined) cpuMs.set(pid, ms);
  }
  return { sessions: rows.length, cpuMs: cpuMs.size === 0 ? null : cpuMs };
}

/** Of the sessions that were there all the time, and of those that came: all that they have taken. */
function databaseTime(first: Sessions, last: Sessions, perMs: number): number | null {
  if (first.cpuMs === null || last.cpuMs === null) return null;
  const { cpuMs } = first;
  return sum([...last.cpuMs].map(([pid, ms]) => ms - (cpuMs.get(pid) ?? 0))) / perMs;
}

async function commits(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ commits: number }>(
    'select xact_commit::int8 as commits from pg_stat_database where datname = current_database()',
  );
  return rows[0]!.commits;
}

/** Looks again and again at what the sessions of the database are at. */
class Looks {
  readonly #pool: Pool;
  readonly #seen = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Of the sessions that had something to do. */
  shares(): { what: string; share: number }[] {
    const all = sum([...this.#seen.values()]);
    return [...this.#seen]
      .map(([what, times]) => ({ what, share: times / all }))
      .sort((one, other) => other.share - one.share)
      .slice(0, 5);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { rows } = await this.#pool.query<{ what: string; sessions: number }>(
        `select case when state like 'idle in transaction%' then 'waiting for the consumer'
           else coalesce(wait_event_type || ' ' || wait_event, 'computing') end as what, count(*)::int as sessions
         from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
         group by 1`,
      );
      for (const { what, sessions } of rows) this.#seen.set(what, (this.#seen.get(what) ?? 0) + sessions);
      await pause(lookMs / 2, this.#stop.signal);
    }
  }
}

// For people.

export function simulateReport(result: SimulateResult): string {
  const { machine, idle, load } = result;
  const number = (value: number | null, places = 0) => (value === null ? null : value.toFixed(places));
  const both = (title: string, of: (resources: Resources) => string | null) =>
    [title, of(idle), of(load)] as const;
  const lines = [
    [
      'processor, cores of consumers',
      number(idle.cores, 3),
      number(load.busy.machine === 0 ? 0 : (load.cpuMicros.consumers * load.rowsPerSecond) / 1e6, 2),
    ],
    [
      'of PostgreSQL’s sessions',
      number(idle.coresADatabase, 3),
      number(
        load.cpuMicros.database === null ? null : (load.cpuMicros.database * load.rowsPerSecond) / 1e6,
        2,
      ),
    ],
    [
      'transactions a second',
      number(idle.transactionsPerSecond),
      number(load.rowsPerSecond / load.rowsPerTransaction),
    ],
    both('connections to PostgreSQL', ({ connections }) => number(connections)),
    both('memory a consumer', ({ memoryBytes }) => formatBytes(memoryBytes)),
    both('threads a consumer', ({ threads }) => number(threads)),
    both('sockets a consumer', ({ sockets }) => number(sockets)),
  ] as const;
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}; load before: ${machine.load.toFixed(1)}`,
    result.infrastructure,
    `${counted(result.consumers, 'consumer')}, ${counted(result.partitions, 'partition')}, shared out in ${result.balancedSeconds.toFixed(1)} s; no store, no model`,
    '',
    `${number(load.rowsPerSecond)} rows a second, over ${number(load.seconds, 1)} s (${load.messages} messages)`,
    `${number(load.rowsPerTransaction, 1)} rows a transaction of ${number(load.transactionMs, 1)} ms; in flight ${number(load.inFlight.mean)} messages a consumer, ${load.inFlight.most} at most`,
    `processor time a row: ${number(load.cpuMicros.consumers)} µs consumers${load.cpuMicros.database === null ? '' : `, ${number(load.cpuMicros.database)} µs PostgreSQL’s sessions`}`,
    `of a partition's time: ${Math.round(100 * load.waiting.topic)} % waiting for the topic, ${Math.round(100 * load.waiting.database)} % recording`,
    `PostgreSQL's sessions are at: ${load.databaseAt.map(({ what, share }) => `${what} ${Math.round(100 * share)} %`).join(', ')}`,
    '',
    table(lines, [
      { title: '', value: ([what]) => what },
      { title: 'idle', value: ([, value]) => value, align: 'right' },
      { title: 'under load', value: ([, , value]) => value, align: 'right' },
    ]),
    '',
    `bound by ${result.bound}`,
  ].join('\n');
}
