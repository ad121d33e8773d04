/** Plays a schedule against a running stream, lets it drain, and holds what is there against what was sent. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runOrThrow } from './binary.ts';
import { allFaults } from './faults/all.ts';
import type { FaultsOptions } from './options.ts';
import { Random } from './random.ts';
import { recovered, type Recovery, stuckMs } from './recovery.ts';
import { type Counted, table } from './report.ts';
import { type Entry, printed, schedule } from './schedule.ts';
import { setStage, type Stage } from './stage.ts';
import { verify } from './verify.ts';
import type { Fault, World } from './world.ts';

export interface Report {
  seed: number;
  options: FaultsOptions;
  /** What is not as it should be; empty: everything was right. */
  problems: string[];
  recoveries: Recovery[];
  /** Kinds that could not be had here, and why. */
  skipped: Record<string, string>;
  counts: Counted;
  seconds: number;
  /** Logs of every process, schedule and report; removed where everything was right. */
  dir: string;
}

/** How long everything that was sent may take to be recorded once the faults are over, ms. */
const drainMs = 180_000;

export async function play(options: FaultsOptions, say: (text: string) => void): Promise<Report> {
  const began = performance.now();
  await using stage = await setStage(options, say);
  const { world, dir } = stage;
  const { faults, skipped } = choose(world);
  const entries = schedule(options.seed, faults, {
    entries: options.most ?? 1000,
    gapMs: options.gapMs,
    together: options.together,
  });
  await writeFile(join(dir, 'schedule.txt'), `seed ${options.seed}\n${printed(entries)}\n`);
  say(
    `seed ${options.seed}, stack ${options.stack}, ${options.share}, ${options.minutes} minutes; in ${dir}`,
  );
  for (const [kind, why] of Object.entries(skipped)) say(`skipped: ${kind} [${why}]`);

  const recoveries: Recovery[] = [];
  const problems: string[] = [];
  try {
    for (const consumer of world.consumers) consumer.start();
    world.producer.start();
    world.belt.start();
    await firstRows(world);
    const began = performance.now();
    problems.push(...(await playEntries(world, faults, entries, options.minutes * 60_000, recoveries)));
    say(`the faults took ${((performance.now() - began) / 1000).toFixed(0)} s; draining`);
    await world.belt.stop();
    problems.push(...(await drain(stage)));
  } catch (error) {
    problems.push(
      `the run itself failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
  problems.push(...(await stopAll(world)));
  const verified = await verify(stage);
  problems.push(...verified.problems);

  const report: Report = {
    seed: options.seed,
    options,
    problems,
    recoveries,
    skipped,
    counts: verified.counts,
    seconds: (performance.now() - began) / 1000,
    dir,
  };
  await writeFile(join(dir, 'report.json'), JSON.stringify(report, null, 2));
  if (options.report !== null) await writeFile(options.report, JSON.stringify(report, null, 2));
  say(table(report));
  return report;
}

/** Removes the logs of a run in which everything was right. */
export async function tidy(report: Report): Promise<void> {
  if (report.problems.length > 0 || report.options.keep) return;
  await rm(report.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

function choose(world: World): { faults: Fault[]; skipped: Record<string, string> } {
  const skipped: Record<string, string> = {};
  const faults = allFaults.filter((fault) => {
    const { kinds } = world.options;
    if (kinds !== null && !kinds.some((name) => fault.kind.includes(name))) return false;
    const why = fault.missing(world);
    if (why !== null) skipped[fault.kind] = why;
    return why === null;
  });
  return { faults, skipped };
}

/** Consumers need some seconds to load their model. */
async function firstRows(world: World): Promise<void> {
  const now = { detail: '', from: Date.now(), partitions: [...Array(world.partitions).keys()] };
  if ((await recovered(world, now)) === null)
    throw new Error(`nothing recorded within ${stuckMs} ms of the start`);
}

async function playEntries(
  world: World,
  faults: readonly Fault[],
  entries: readonly Entry[],
  forMs: number,
  recoveries: Recovery[],
): Promise<string[]> {
  const problems: string[] = [];
  const began = performance.now();
  const overlaps = new Overlaps();
  let before: Promise<void> = Promise.resolve();
  for (const entry of entries) {
    if (!entry.together) await before;
    await sleep(entry.gapMs);
    if (performance.now() - began > forMs) break;
    const one = playOne(
      world,
      faults.find((f) => f.kind === entry.kind)!,
      entry,
      overlaps,
    ).then(
      ({ recovery, found }) => {
        recoveries.push(recovery);
        problems.push(...found);
      },
      (error: unknown) => void problems.push(`${entry.kind} could not be done: ${String(error)}`),
    );
    before = Promise.all([before, one]).then(() => undefined);
  }
  await before;
  return problems;
}

/** How many faults are going on, and whether any was ever beside another since it began. */
class Overlaps {
  readonly #open = new Set<{ alone: boolean }>();

  begin(): { alone: boolean; end: () => void } {
    const mine = { alone: this.#open.size === 0 };
    for (const other of this.#open) other.alone = false;
    this.#open.add(mine);
    return Object.assign(mine, { end: () => void this.#open.delete(mine) });
  }
}

async function playOne(world: World, fault: Fault, entry: Entry, overlaps: Overlaps) {
  const mine = overlaps.begin();
  try {
    const damage = await fault.run(world, entry.holdMs, new Random(entry.seed));
    const seconds = damage.seconds ?? (await recovered(world, damage));
    const found = [...(damage.problems ?? []), ...((await damage.after?.()) ?? [])];
    const how = seconds === null ? 'NOT RECOVERED' : `recovered in ${seconds.toFixed(2)} s`;
    const when = new Date(damage.from).toISOString();
    world.say(`${when} ${fault.kind}: ${damage.detail}; ${how}${mine.alone ? '' : ' (beside another)'}`);
    const said = `${fault.kind} (${damage.detail}) at ${when}`;
    if (seconds === null) found.push(`${said}: a partition stands still`);
    else if (mine.alone && seconds > (damage.within ?? Infinity)) {
      found.push(`${said}: took ${seconds.toFixed(1)} s to recover, more than ${damage.within} s`);
    }
    const recovery: Recovery = { kind: fault.kind, detail: damage.detail, seconds, together: !mine.alone };
    return { recovery, found };
  } finally {
    mine.end();
  }
}

/** Everything that was sent is recorded: positions are the log's ends, and `produce` has nothing left. */
async function drain({ world, topic }: Stage): Promise<string[]> {
  const deadline = performance.now() + drainMs;
  const left = async (): Promise<string[]> => {
    const positions = await world.inspector.rows<{ partition: number; next_offset: number }>(
      'select partition, next_offset from positions',
    );
    const behind: string[] = [];
    for (let partition = 0; partition < world.partitions; partition++) {
      const end = (await topic.bounds(partition).catch(() => null))?.end;
      const at = positions.find((row) => row.partition === partition)?.next_offset ?? 0;
      if (end !== at) behind.push(`partition ${partition} is at ${at} of ${end ?? 'an unknown end'}`);
    }
    return behind;
  };
  // What is due is not for the belt's clock any more.
  await Promise.race([world.producer.ended, sleep(drainMs)]);
  // What was uploaded after it had ended.
  await runOrThrow(['produce', '--json'], world.dir, world.env);
  for (;;) {
    const behind = await left();
    if (behind.length === 0) return [];
    if (performance.now() > deadline) return behind.map((text) => `not drained: ${text}`);
    await sleep(250);
  }
}

async function stopAll(world: World): Promise<string[]> {
  await world.belt.stop().catch(() => undefined);
  const all = [...world.consumers, world.producer];
  const stopped = await Promise.all(all.map((one) => one.stop()));
  return all.flatMap((one, at) => (stopped[at] ? [] : [`${one.name} did not drain within 30 s of SIGTERM`]));
}
