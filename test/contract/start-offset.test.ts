/** Where a consumer starts, on a real topic whose past is rewritten. */
import { describe, expect, it } from 'vitest';
import type { ConsumeEvent, Replay } from '../../src/lib/pipeline/consume/options.ts';
import { startOffset } from '../../src/lib/pipeline/consume/partition/offsets.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { testDatabase } from '../support/database.ts';

async function setUp(recorded: number) {
  const database = await testDatabase();
  const { pool } = database;
  const topic = await openEmbeddedTopic({ pool, name: 'images' });
  await topic.create(1);
  const send = async (count: number) => {
    await using producer = await topic.producer();
    await producer.send(
      Array.from({ length: count }, (_, n) => ({ key: null, value: Buffer.from(`${n}`), headers: {} })),
    );
  };
  await send(recorded);
  const { rows } = await pool.query<{ timestamp: number }>(
    `select max(timestamp_ms)::int8 as timestamp from topic_records where topic = 'images'`,
  );
  await pool.query(
    `insert into positions (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms)
     values ('p', 'images', 0, $1, $1::int8 - 1, $2)`,
    [recorded, rows[0]!.timestamp],
  );
  const events: ConsumeEvent[] = [];
  const start = (skipExpired = false, replay?: Replay) =>
    startOffset(
      { pool, topic, report: (event) => void events.push(event) },
      { pipeline: 'p', skipExpired, ...(replay && { replay }) },
      { pipeline: 'p', topic: 'images', partition: 0, owner: 'o', epoch: 1, orphaned: false },
    );
  /** As if the topic had been deleted, and created again by whoever needed it. */
  const recreate = async (count: number) => {
    await pool.query(`delete from topic_records where topic = 'images'`);
    await pool.query(`update topic_heads set next_offset = 0, first_offset = 0 where topic = 'images'`);
    // Another time is what tells the two apart.
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (count > 0) await send(count);
  };
  const close = async () => {
    await topic[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  };
  return { pool, start, recreate, events, close };
}

describe('startOffset', () => {
  it.each([
    ['shorter', 2],
    ['as long', 3],
    ['longer', 5],
    ['empty', 0],
  ])('reads a topic that was created again, and is %s, from its beginning', async (_, length) => {
    const { start, recreate, events, close } = await setUp(3);
    try {
      expect(await start()).toBe(3);
      expect(events).toEqual([]);
      await recreate(length);
      expect(await start()).toBe(0);
      expect(events).toEqual([{ kind: 'another topic', partition: 0, position: 3 }]);
    } finally {
      await close();
    }
  });

  it('refuses to pass over what was deleted unread, until it is told to', async () => {
    const { pool, start, events, close } = await setUp(2);
    try {
      await pool.query(`update positions set next_offset = 0, last_offset = null, last_timestamp_ms = null`);
      await pool.query(`delete from topic_records where "offset" < 2`);
      await pool.query(`update topic_heads set first_offset = 2`);
      await expect(start()).rejects.toMatchObject({
        code: 'records_expired',
        message: expect.stringMatching(/^2 messages/) as string,
      });
      expect(await start(true)).toBe(2);
      expect(events).toEqual([{ kind: 'skipped expired', partition: 0, records: 2 }]);
    } finally {
      await close();
    }
  });

  it('goes back to a time once, and never skips', async () => {
    const { start, events, close } = await setUp(3);
    try {
      const replay = { from: new Date(0), begun: new Set<number>() };
      expect(await start(false, replay)).toBe(0);
      expect(events).toEqual([{ kind: 'replaying', partition: 0, messages: 3 }]);
      expect(await start(false, replay)).toBe(3);
      expect(await start(false, { from: new Date(Date.now() + 60_000), begun: new Set() })).toBe(3);
      expect(events).toHaveLength(1);
    } finally {
      await close();
    }
  });
});
