/** Dead letters in a real database: one outcome a request, whatever is delivered, retried, dropped, and at the same time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dropDeadLetters, retryDeadLetters } from '../../src/lib/pipeline/dead-letters/dead-letters.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import { migrate } from '../../src/lib/systems/database/migrate.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import type { Outcome } from '../../src/lib/systems/database/record/outcome.ts';
import { record } from '../../src/lib/systems/database/record/record.ts';
import {
  countOpenByCode,
  letterPage,
  readLetter,
  retryPage,
  type Selection,
} from '../../src/lib/systems/database/tables/dead-letters.ts';
import { claim, type Lease } from '../../src/lib/systems/database/tables/owners.ts';
import { parseMessage } from '../../src/lib/systems/message/parse.ts';
import { header, type TopicRecord } from '../../src/lib/systems/message/record.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { ensureBuilt } from '../support/build.ts';
import { testDatabase } from '../support/database.ts';
import { describeWith } from '../support/servers.ts';

describe('embedded', () => {
  suite(async () => {
    await ensureBuilt();
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-letters-'));
    const database = await openDatabase({ kind: 'embedded', dataDir });
    await migrate(database.pool);
    const close = async () => {
      await database[Symbol.asyncDispose]();
      await stopped(dataDir, 20_000);
      await rm(dataDir, { recursive: true, force: true });
    };
    return { pool: database.pool, close };
  });
});

describeWith('PostgreSQL', 'server', () => {
  suite(async () => {
    const database = await testDatabase();
    return { pool: database.pool, close: async () => database[Symbol.asyncDispose]() };
  });
});

function suite(open: () => Promise<{ pool: Pool; close: () => Promise<void> }>): void {
  let pool: Pool;
  let close: () => Promise<void>;
  let topic: Topic;
  let leases: Lease[];
  let offset = 0;
  const read: number[] = [0, 0];
  beforeAll(async () => {
    ({ pool, close } = await open());
    topic = await openEmbeddedTopic({ pool, name: 'images' });
    await topic.create(2);
  });
  afterAll(async () => {
    await topic?.[Symbol.asyncDispose]();
    await close?.();
  });
  beforeEach(async () => {
    await pool.query('truncate owners, positions, prediction_results, dead_letters');
    const claims = [0, 1].map((partition) =>
      claim(
        pool,
        { pipeline: 'p', topic: 'images', partition },
        { owner: 'o', hostname: 'h', mode: 'partition' },
      ),
    );
    leases = (await Promise.all(claims)).map((c) => {
      if (c.kind !== 'granted') throw new Error('the lease was not granted');
      return c.lease;
    });
    for (const partition of [0, 1]) read[partition] = (await topic.bounds(partition)).end;
  });

  const message = (id: string, value = 'a.jpg', headers: Record<string, string> = {}): TopicRecord => ({
    topic: 'images',
    partition: 0,
    offset: offset++,
    timestamp: 1_700_000_000_000,
    key: Buffer.from([0, 255]),
    value: Buffer.from(value),
    headers: { [header.requestId]: id, ...headers },
  });
  /** What a consumer makes of a message where the classification succeeds, or fails. */
  const outcomes = (record: TopicRecord, good: boolean): Outcome[] => {
    const parsed = parseMessage(record);
    if (parsed.kind === 'unreadable') {
      const { requestId, code, reason } = parsed;
      return [
        { kind: 'dead letter', record, requestId, imageKey: null, stage: 'read', code, message: reason },
      ];
    }
    if (parsed.kind === 'ignored') return [];
    return parsed.requests.map((request): Outcome => {
      const { id: requestId, imageKey } = request;
      if (!good)
        return {
          kind: 'dead letter',
          record,
          requestId,
          imageKey,
          stage: 'fetch',
          code: 'not_found',
          message: 'gone',
        };
      const model = { name: 'm', version: '1', digest: 'sha256:0' };
      const stages = { decode: 1, preprocess: 1, infer: 1 };
      const classification = { top: [{ category: 'c', confidence: 90 }], model, stages };
      const times = { received: 0, fetching: 0, fetched: 1, classified: 4 };
      return {
        kind: 'prediction',
        record,
        request,
        classification: classification as never,
        fetchMs: 1,
        times,
      };
    });
  };
  const deliver = async (records: [TopicRecord, boolean][], partition = 0) => {
    const { predicted, deadLettered } = await record(pool, leases[partition]!, {
      outcomes: records.flatMap(([record, good]) => outcomes(record, good)),
      last: records.at(-1)![0],
      hostname: `host ${partition}`,
    });
    return { predicted, deadLettered };
  };
  const letters = () => letterPage(pool, { pipeline: 'p' }, Number.MAX_SAFE_INTEGER, 100);
  const predicted = async () => {
    const { rows } = await pool.query<{ id: string }>(
      'select request_id as id from prediction_results order by id',
    );
    return rows.map(({ id }) => id);
  };
  const selection: Selection = { pipeline: 'p' };
  const options = (changes: Partial<Parameters<typeof retryDeadLetters>[2]> = {}) => ({
    selection,
    signal: new AbortController().signal,
    report: () => undefined,
    ...changes,
  });
  /** What has come into the topic since the last look. */
  const arrived = async () => {
    const records: TopicRecord[] = [];
    for (const partition of [0, 1]) {
      const { end } = await topic.bounds(partition);
      if (end === read[partition]) continue;
      await using reader = await topic.reader({ partition, from: read[partition]!, group: 'test' });
      for await (const record of reader.records(AbortSignal.timeout(10_000))) {
        records.push(record);
        if (record.offset + 1 >= end) break;
      }
      read[partition] = end;
    }
    return records;
  };
  const positions = async () => {
    const { rows } = await pool.query(
      'select sum(predicted)::int8 as p, sum(dead_lettered)::int8 as d from positions',
    );
    return rows[0] as { p: number; d: number };
  };

  it('resolves a letter by one retry, however often it is sent, and counts rightly', async () => {
    const first = message('r1', 'a.jpg', {
      [header.belt]: 'north',
      [header.capturedAt]: '2026-11-22T10:00:00Z',
    });
    expect(await deliver([[first, false]])).toEqual({ predicted: 0, deadLettered: 1 });
    expect(await deliver([[first, true]])).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await retryDeadLetters(pool, topic, options())).toEqual({
      retried: 1,
      topic: 'images',
      refused: 0,
    });
    const [once] = await arrived();
    expect(once).toMatchObject({
      value: Buffer.from('a.jpg'),
      key: first.key,
      headers: { [header.requestId]: 'r1', [header.retry]: '1', [header.belt]: 'north' },
    });
    expect((await letters())[0]!.retrySentAt).toBeInstanceOf(Date);

    // It fails again: one attempt more, no new letter; delivered again, a retry is too old, whatever it brings.
    expect(await deliver([[once!, false]], 1)).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await deliver([[once!, true]], 1)).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await letters()).toMatchObject([
      { attempts: 2, state: 'open', hostname: 'host 1', closedAt: null },
    ]);

    // Sent, killed before the mark, and sent again.
    await retryDeadLetters(pool, topic, options());
    await pool.query('update dead_letters set retry_sent_at = null');
    await retryDeadLetters(pool, topic, options());
    const twice = await arrived();
    expect(twice.map((r) => r.headers[header.retry])).toEqual(['2', '2']);
    expect(await deliver([[twice[0]!, true]], 1)).toEqual({ predicted: 1, deadLettered: 0 });
    expect(
      await deliver([
        [twice[1]!, false],
        [twice[1]!, true],
        [first, true],
      ]),
    ).toEqual({
      predicted: 0,
      deadLettered: 0,
    });
    expect(await letters()).toMatchObject([{ attempts: 2, state: 'resolved' }]);
    expect((await letters())[0]!.closedAt).toBeInstanceOf(Date);
    expect(await predicted()).toEqual(['r1']);
    const { rows } = await pool.query('select belt, captured_at from prediction_results');
    expect(rows).toEqual([{ belt: 'north', captured_at: new Date('2026-11-22T10:00:00Z') }]);
    expect(await retryDeadLetters(pool, topic, options())).toMatchObject({ retried: 0 });
    expect(await positions()).toEqual({ p: 1, d: 1 });
  });

  it('leaves a dropped letter alone: no redelivery and no retry changes it', async () => {
    const first = message('r1');
    await deliver([[first, false]]);
    await retryDeadLetters(pool, topic, options());
    const retries = await arrived();
    expect(await dropDeadLetters(pool, options())).toEqual({ dropped: 1 });
    expect(await dropDeadLetters(pool, options())).toEqual({ dropped: 0 });
    const before = await letters();
    for (const good of [true, false]) {
      expect(
        await deliver([
          [first, good],
          [retries[0]!, good],
        ]),
      ).toEqual({ predicted: 0, deadLettered: 0 });
    }
    expect(await letters()).toEqual(before);
    expect(before).toMatchObject([{ state: 'dropped', attempts: 1 }]);
    expect(await predicted()).toEqual([]);
  });

  it('sends an unreadable message as it was, and keeps its one letter', async () => {
    const bad = message('r1', '../no key', { 'x-thing': 'kept', [header.contentType]: 'text/plain' });
    await deliver([[bad, true]]);
    expect(await letters()).toMatchObject([{ imageKey: null, stage: 'read', code: 'unreadable_message' }]);
    await retryDeadLetters(pool, topic, options());
    const [retried] = await arrived();
    expect(retried).toMatchObject({
      key: bad.key,
      value: bad.value,
      headers: { ...bad.headers, [header.retry]: '1' },
    });
    expect(await deliver([[retried!, true]])).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await letters()).toMatchObject([{ attempts: 2, state: 'open' }]);
    // A later version may read it: as if it did, for a message that was another from the beginning.
    await pool.query(`update dead_letters set message_value = 'now a key'`);
    await retryDeadLetters(pool, topic, options());
    const [again] = await arrived();
    expect(again!.value).toEqual(Buffer.from('now a key'));
    await deliver([[again!, true]]);
    expect(await letters()).toMatchObject([{ attempts: 2, state: 'resolved' }]);
    expect(await predicted()).toEqual(['r1']);
  });

  /** Both have to have looked before either is done: a table is locked until the second waits, or is done as it must not be. */
  async function atOnce<T, U>(
    one: () => Promise<T>,
    other: () => Promise<U>,
    locked: 'positions' | 'prediction_results' = 'positions',
  ): Promise<[T, U]> {
    let done = false;
    const holder = await pool.connect();
    try {
      await holder.query('begin');
      await holder.query(`lock table ${locked} in share mode`);
      const waiting = async (count: number) => {
        for (;;) {
          const { rows } = await holder.query<{ n: number }>(
            `select count(*)::int4 as n from pg_locks where not granted and
               (database is null or database = (select oid from pg_database where datname = current_database()))`,
          );
          if (rows[0]!.n >= count || done) return;
        }
      };
      const first = one();
      await waiting(1);
      const second = other().finally(() => (done = true));
      await waiting(2);
      await holder.query('commit');
      return await Promise.all([first, second]);
    } finally {
      holder.release();
    }
  }

  it.each([true, false])(
    'makes one outcome of a request that two partitions bring at once (first one good: %s)',
    async (good) => {
      const [a, b] = [message('same'), message('same')];
      const [x, y] = [message('other'), message('other')];
      // In the other order, too: nobody waits for somebody who waits for him.
      const [first, second] = await atOnce(
        () => deliver([[a, good], [x, good]]), // prettier-ignore
        () => deliver([[y, !good], [b, !good]], 1), // prettier-ignore
      );
      expect(first).toEqual({ predicted: good ? 2 : 0, deadLettered: good ? 0 : 2 });
      expect(second).toEqual({ predicted: 0, deadLettered: 0 });
      expect([(await predicted()).length, (await letters()).length]).toEqual(good ? [2, 0] : [0, 2]);
    },
  );

  it.each([true, false])(
    'makes one outcome of it also where one of the two brings more than are locked one by one (that one first: %s)',
    async (first) => {
      const many = Array.from({ length: 50 }, (_, n) => message(n === 30 ? 'same' : `${n}`));
      const large = () => deliver(many.map((one) => [one, true]));
      const small = () => deliver([[message('other'), true], [message('same'), false]], 1); // prettier-ignore
      const [one, other] = await (first ? atOnce(large, small) : atOnce(small, large));
      const [ofLarge, ofSmall] = first ? [one, other] : [other, one];
      expect(ofLarge).toEqual({ predicted: first ? 50 : 49, deadLettered: 0 });
      expect(ofSmall).toEqual({ predicted: 1, deadLettered: first ? 0 : 1 });
      expect(await predicted()).toHaveLength(first ? 51 : 50);
      expect(await letters()).toHaveLength(first ? 0 : 1);
    },
  );

  it('is no deadlock where many bring much of the same at once, in any order', async () => {
    const groups = Array.from({ length: 12 }, (_, nth) =>
      Array.from({ length: nth % 3 === 0 ? 400 : 32 }, (_, n) =>
        message(`${(n * (nth % 2 ? 7 : 1)) % 50} ${n}`),
      ),
    );
    await Promise.all(
      groups.map((group, nth) =>
        deliver(
          group.map((one) => [one, true]),
          nth % 2,
        ),
      ),
    );
    const ids = new Set(groups.flat().map(({ headers }) => headers[header.requestId]));
    expect(new Set(await predicted())).toEqual(ids);
    expect(await predicted()).toHaveLength(ids.size);
  });

  it.each(['positions', 'prediction_results'] as const)(
    'does not drop what is being resolved (%s locked)',
    async (locked) => {
      await deliver([[message('r1'), false]]);
      await retryDeadLetters(pool, topic, options());
      const [retried] = await arrived();
      const [recorded, dropped] = await atOnce(
        () => deliver([[retried!, true]]),
        () => dropDeadLetters(pool, options()),
        locked,
      );
      expect([recorded, dropped]).toEqual([{ predicted: 1, deadLettered: 0 }, { dropped: 0 }]);
      expect(await letters()).toMatchObject([{ state: 'resolved' }]);
    },
  );

  it('selects by id, code, stage, time and state, and goes through any number in pages', async () => {
    await pool.query(
      `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage, code,
         message, hostname, last_at, state)
       select 'p', 'r' || n, 'k' || n, 'images', 0, n, '{}', case n % 2 when 0 then 'fetch' else 'classify' end,
         case n % 5 when 0 then 'not_found' else 'not_an_image' end, 'm', 'h',
         '2026-01-01 00:00Z'::timestamptz + n * interval '1 minute', case when n > 2500 then 'dropped' else 'open' end
       from generate_series(1, 2600) n`,
    );
    const ids = async (more: Partial<Selection>) =>
      (await letterPage(pool, { ...selection, ...more }, Number.MAX_SAFE_INTEGER, 5000)).map((l) =>
        Number(l.requestId.slice(1)),
      );
    expect(await ids({ code: 'not_found', stage: 'fetch', state: 'open' })).toEqual(
      Array.from({ length: 250 }, (_, n) => 2500 - n * 10),
    );
    const since = new Date('2026-01-01T00:10:00Z');
    const until = new Date('2026-01-01T00:12:00Z');
    expect(await ids({ since, until })).toEqual([11, 10]);
    expect(await ids({ state: 'dropped' })).toHaveLength(100);
    expect(await countOpenByCode(pool, 'p')).toEqual({ not_an_image: 2000, not_found: 500 });
    expect(await countOpenByCode(pool, 'another')).toEqual({});

    const chosen = (await letters()).slice(0, 3).map((l) => l.id);
    const events: unknown[] = [];
    const report = (event: unknown) => void events.push(event);
    expect(
      await dropDeadLetters(pool, options({ selection: { ...selection, ids: chosen }, report })),
    ).toEqual({
      dropped: 0,
    });
    expect(events.filter((e) => (e as { kind: string }).kind === 'closed')).toHaveLength(3);
    await expect(
      dropDeadLetters(pool, options({ selection: { pipeline: 'another', ids: chosen } })),
    ).rejects.toMatchObject({ code: 'dead_letter_missing' });

    const found = { ...selection, code: 'not_found' };
    expect(await retryDeadLetters(pool, topic, options({ selection: found, limit: 7 }))).toMatchObject({
      retried: 7,
    });
    expect(await retryDeadLetters(pool, topic, options())).toMatchObject({ retried: 2500 });
    const sent = await arrived();
    expect(sent).toHaveLength(2507);
    expect(new Set(sent.map((r) => r.headers[header.requestId])).size).toBe(2500);
    expect(await dropDeadLetters(pool, options({ selection: found }))).toEqual({ dropped: 500 });
    expect(await dropDeadLetters(pool, options())).toEqual({ dropped: 2000 });
  });

  it('holds few bytes of large messages, and names the one the topic does not take', async () => {
    const value = (bytes: number) => `../${'x'.repeat(bytes - 3)}`;
    await deliver(
      [900_000, 900_000, 900_000, 1_048_576].map((bytes, n) => [message(`r${n}`, value(bytes)), false]),
    );
    const page = await retryPage(pool, selection, { after: 0, lastId: 1e12, limit: 100 }, 2_000_000);
    expect(page.map((letter) => letter.requestId)).toEqual(['r0', 'r1']);
    expect(page[0]!.value).toHaveLength(900_000);
    expect(await retryPage(pool, selection, { after: 0, lastId: 1e12, limit: 100 }, 1)).toHaveLength(1);
    const refused: unknown[] = [];
    const report = (event: { kind: string }) => void (event.kind === 'refused' && refused.push(event));
    expect(await retryDeadLetters(pool, topic, options({ report }))).toMatchObject({
      retried: 3,
      refused: 1,
    });
    const last = (await letters())[0]!;
    expect(refused).toEqual([
      { kind: 'refused', id: last.id, reason: expect.stringContaining('1048') as string },
    ]);
    expect(last.retrySentAt).toBeNull();
    expect((await readLetter(pool, 'p', last.id))!.value).toHaveLength(1_048_576);
    expect(await readLetter(pool, 'another', last.id)).toBeNull();
    await arrived();
  });
}
