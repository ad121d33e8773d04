/** What the sessions of the scratch database take and are at. */
import { readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import { pause } from '../../../base/flow/waiting.ts';
import { cpuTimeMsNow } from '../../../base/sandbox/work-clock.ts';
import { sum } from '../../../base/statistics.ts';

const lookMs = 50;

/** Sessions of the scratch database other than ours, and the processor time of each where it is on this machine. */
export interface Sessions {
  sessions: number;
  cpuMs: Map<number, number> | null;
}

export async function databaseCpu(pool: Pool): Promise<Sessions> {
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
export function databaseTime(first: Sessions, last: Sessions, perMs: number): number | null {
  if (first.cpuMs === null || last.cpuMs === null) return null;
  const { cpuMs } = first;
  return sum([...last.cpuMs].map(([pid, ms]) => ms - (cpuMs.get(pid) ?? 0))) / perMs;
}

export async function commits(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ commits: number }>(
    'select xact_commit::int8 as commits from pg_stat_database where datname = current_database()',
  );
  return rows[0]!.commits;
}

/** Looks again and again at what the sessions of the database are at. */
export class Looks {
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
      await pause(lookMs, this.#stop.signal);
    }
  }
}
