/** The contract of a topic, and what is special about it, on the log in PostgreSQL. */
import { describe, expect, it } from 'vitest';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import type { EmbeddedTopicOptions } from '../../src/lib/systems/topic/embedded/topic.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import { testDatabase } from '../support/database.ts';
import { describeTopic, Held, record, take } from './topic.ts';

describeTopic('the embedded topic', async () => {
  const database = await testDatabase();
  return {
    open: (name) => openTopic({ kind: 'embedded', pool: database.pool, name }),
    maxValueBytes: 1_048_576 - 10,
    readAhead: 2,
    partitions: 3,
    complete: true,
    settleMs: 1_000,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
});

describe('the embedded topic alone', () => {
  async function fresh(options: Partial<EmbeddedTopicOptions> = {}) {
    const database = await testDatabase();
    const topic = await openEmbeddedTopic({ pool: database.pool, name: 't', ...options });
    await topic.create(3);
    const producer = await topic.producer();
    return {
      ...database,
      topic,
      producer,
      async [Symbol.asyncDispose]() {
        await producer[Symbol.asyncDispose]();
        await topic[Symbol.asyncDispose]();
        await database[Symbol.asyncDispose]();
      },
    };
  }

  it('is created once, with one count of partitions, by two hosts at the same time', async () => {
    await using t = await fresh();
    for (let n = 0; n < 5; n++) {
      await using race = await openEmbeddedTopic({ pool: t.pool, name: `race-${n}` });
      const outcomes = await Promise.all([race.create(3), race.create(7), race.create(5)]);
      expect(outcomes.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(outcomes.map(({ partitions }) => partitions)).size).toBe(1);
      expect(await race.partitions()).toBe(outcomes[0]?.partitions);
    }
  });

  it('hands concurrent producers offsets without gaps, in the order in which they can be read', async () => {
    await using t = await fresh();
    const producers = await Promise.all(Array.from({ length: 6 }, () => t.topic.producer()));
    await using reader = await t.topic.reader({ partition: 1, from: 0, group: 'g' });
    const reading = take(reader, 200);
    const placed = await Promise.all(
      producers.map(async (producer, who) => {
        const all = [];
        for (let n = 0; n < 10; n++) {
          const batch = Array.from({ length: 30 }, (_, i) => record(`${who}/${n}/${i}`, `${who}/${n}/${i}`));
          all.push(...(await producer.send(n % 2 ? batch : batch.reverse())));
        }
        return all;
      }),
    );
    expect((await reading).map(({ offset }) => offset)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    let total = 0;
    for (const partition of [0, 1, 2]) {
      const offsets = placed.flat().filter((one) => one.partition === partition);
      const sorted = offsets.map(({ offset }) => offset).sort((a, b) => a - b);
      expect(sorted).toEqual(Array.from({ length: sorted.length }, (_, n) => n));
      expect(await t.topic.bounds(partition)).toEqual({ first: 0, end: sorted.length });
      total += sorted.length;
    }
    expect(total).toBe(6 * 10 * 30);
  });

  it('is woken by NOTIFY, and finds the records by polling where its connection was cut', async () => {
    await using t = await fresh({ pollMs: 200 });
    await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'g' });
    const records = reader.records(new AbortController().signal)[Symbol.asyncIterator]();
    const listeners = `from pg_stat_activity where query ilike 'listen %' and datname = current_database()`;
    const send = async () => {
      await t.producer.send(Array.from({ length: 30 }, (_, n) => record(String(n), 'x')));
    };
    const first = records.next();
    await expect.poll(async () => (await t.pool.query(`select pid ${listeners}`)).rowCount).toBe(1);
    await send();
    expect((await first).done).toBe(false);
    await t.pool.query(`select pg_terminate_backend(pid) ${listeners}`);
    const { end } = await t.topic.bounds(0);
    for (let n = 1; n < end; n++) await records.next();
    const next = records.next();
    await send();
    expect((await next).value).toMatchObject({ offset: end });
    await expect.poll(async () => (await t.pool.query(`select pid ${listeners}`)).rowCount).toBe(1);
  });

  it('deletes by age and by size, but nothing that a group has not read', async () => {
    await using t = await fresh({ retentionBytes: 250, retentionMs: 3_600_000 });
    const keys = Array.from({ length: 200 }, (_, n) => `k${n}`);
    for (const key of keys)
      await t.producer.send([{ ...record(key, Buffer.alloc(98)), key: Buffer.from(key) }]);
    const { end } = await t.topic.bounds(0);
    expect(end).toBeGreaterThan(20);
    expect(await t.topic.applyRetention()).toBe(0); // no group: nobody has read anything

    await using slow = await t.topic.reader({ partition: 0, from: 0, group: 'slow' });
    await slow.commit(0, 10);
    await using fast = await t.topic.reader({ partition: 0, from: 0, group: 'fast' });
    await fast.commit(0, end);
    await t.topic.applyRetention();
    expect(await t.topic.bounds(0)).toEqual({ first: 10, end });
    expect(await t.topic.bounds(1)).toMatchObject({ first: 0 }); // uncommitted there
    await expect(take(slow, 1)).rejects.toMatchObject({ code: 'offset_out_of_range' });

    await slow.commit(0, end);
    await t.topic.applyRetention(); // 250 bytes are two of these records
    expect(await t.topic.bounds(0)).toEqual({ first: end - 2, end });
    const { rows } = await t.pool.query<{ bytes: number; real: number }>(
      `select bytes::int, (select sum(length(key) + length(value))::int from topic_records where partition = 0) as real
       from topic_heads where partition = 0`,
    );
    expect(rows[0]?.bytes).toBe(rows[0]?.real);

    await t.pool.query('update topic_records set timestamp_ms = timestamp_ms - 3600001 where "offset" = $1', [
      end - 2,
    ]);
    await t.topic.applyRetention();
    expect(await t.topic.bounds(0)).toEqual({ first: end - 1, end });
  });

  it('says that the schema is missing, or that the server is away', async () => {
    await using bare = await testDatabase({ migrated: false });
    await expect(openEmbeddedTopic({ pool: bare.pool, name: 't' })).rejects.toMatchObject({
      name: 'TopicError',
      code: 'schema_missing',
    });
  });

  it('waits for a server whose connections are cut while it reads', async () => {
    await using t = await fresh({ pollMs: 50 });
    await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'g' });
    const reading = take(reader, 5);
    for (let n = 0; n < 3; n++) {
      await t.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    }
    for (let n = 0; n < 30; n++) await t.producer.send([record(String(n), 'x')]);
    expect(await reading).toHaveLength(5);
  });

  it('takes over the partitions of a member that died, and tells one that overslept that it lost them', async () => {
    await using t = await fresh();
    await t.pool.query(
      `insert into topic_members values ('t', 'g', 'a dead one', now() + interval '700 milliseconds')`,
    );
    await t.pool.query(
      `insert into topic_holders select 't', 'g', p, 'a dead one', now() + interval '700 milliseconds' from generate_series(0, 2) p`,
    );
    const held = new Held();
    const membership = await t.topic.join('g', 'living', held);
    await held.until(({ size }) => size === 3);
    // As if this process had been frozen past its expiry, while another took one of its partitions: both at once.
    await t.pool.query(
      `with expired as (update topic_members set expires_at = now() - interval '1 second' where member = 'living')
       update topic_holders set member = 'another', expires_at = now() + interval '1 second' where partition = 2`,
    );
    await held.until(({ size }) => size < 3);
    await held.until(({ size }) => size === 3);
    // Partition 2 for certain; the others too, unless the heartbeat saw first that they are still held.
    expect(held.events.filter((event) => /^(lost|revoked)/.test(event))).toEqual([
      expect.stringMatching(/^lost (2|0,1,2|2,0,1)$/),
    ]);
    await membership[Symbol.asyncDispose]();
    const left = await t.pool.query(`select from topic_members where member = 'living'`);
    expect(left.rowCount).toBe(0);
  });
});
