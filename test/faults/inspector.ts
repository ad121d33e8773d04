/** The run's own eyes on the database: queries that outlast what is being killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, QueryResultRow } from 'pg';

/** Longest time a query is tried again, ms. */
const patienceMs = 90_000;

export class Inspector {
  readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  async rows<T extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<T[]> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      try {
        return (await this.pool.query<T>(sql, values)).rows;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(100);
      }
    }
  }

  /** The host name (of one life of a consumer) that owns each partition now. */
  async owners(): Promise<Map<number, string>> {
    const found = await this.rows<{ partition: number; hostname: string }>(
      `select partition, hostname from owners where owner is not null and expires_at > clock_timestamp()`,
    );
    return new Map(found.map((row) => [row.partition, row.hostname]));
  }
}
