/** What every topic has to do: run on each implementation by the files beside this one. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutgoingRecord, TopicRecord } from '../../src/lib/systems/message/record.ts';
import { partitionForKey } from '../../src/lib/systems/topic/embedded/producer.ts';
import type { GroupHandler, Reader, Topic } from '../../src/lib/systems/topic/topic.ts';
import { bufferedBytes } from '../support/memory.ts';
import type { itThorough } from '../support/thorough.ts';

export interface TopicUnderTest extends AsyncDisposable {
  /** Opens the topic of this name, as another process would; created already where `create` cannot be asked. */
  open(name: string): Promise<Topic>;
  /** Largest value that has to get through, bytes. */
  maxValueBytes: number;
  /** Most records of 100 kB that this process may hold beyond those pulled, at a bound of 4 records or 200 kB. */
  readAhead: number;
  /** Partitions of the topics of this suite. */
  partitions: number;
  /** Whether it does all that Kafka does: librdkafka's mock cluster adds no partitions, and finds no offsets by time. */
  complete: boolean;
  /** Longest time until a group has settled after a member came or left, ms. */
  settleMs: number;
}

export function record(
  key: string | null,
  value: string | Buffer,
  headers: Record<string, string> = {},
): OutgoingRecord {
  return { key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers };
}

/** The next `count` records of a reader, which goes on being open. */
export async function take(reader: Reader, count: number): Promise<TopicRecord[]> {
  const stop = new AbortController();
  const taken: TopicRecord[] = [];
  if (count === 0) return taken;
  for await (const one of reader.records(stop.signal)) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}

/** Remembers what a member holds, and lets a test wait for it. */
export class Held implements GroupHandler {
  readonly events: string[] = [];
  readonly partitions = new Set<number>();
  /** Called before a revocation is acknowledged. */
  onRevoke: (partitions: number[]) => Promise<void> = () => Promise.resolve();
  #changed: () => void = () => undefined;

  assigned(partitions: number[]): Promise<void> {
    this.events.push(`assigned ${partitions.join()}`);
    for (const partition of partitions) this.partitions.add(partition);
    this.#changed();
    return Promise.resolve();
  }

  async revoked(partitions: number[], lost: boolean): Promise<void> {
    this.events.push(`${lost ? 'lost' : 'revoked'} ${partitions.join()}`);
    await this.onRevoke(partitions);
    for (const partition of partitions) this.partitions.delete(partition);
    this.#changed();
  }

  async until(condition: (held: Set<number>) => boolean): Promise<void> {
    while (!condition(this.partitions)) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

/** `itSettles` runs the test that waits for groups to settle: `itThorough` where that takes long. */
export function describeTopic(
  title: string,
  start: () => Promise<TopicUnderTest>,
  itSettles: typeof itThorough = it,
): void {
  describe(title, () => {
    let under: TopicUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => {
      await under[Symbol.asyncDispose]();
    });

    /** A new topic with a producer. */
    async function fresh() {
      const topic = await under.open(`test.${randomBytes(6).toString('hex')}`);
      const { partitions } = await topic.create(under.partitions);
      expect(partitions).toBe(under.partitions);
      const producer = await topic.producer();
      return {
        topic,
        producer,
        async [Symbol.asyncDispose]() {
          await producer[Symbol.asyncDispose]();
          await topic[Symbol.asyncDispose]();
        },
      };
    }

    /** Keys that all go to one partition. */
    function keysOf(partition: number, count: number): string[] {
      const keys: string[] = [];
      for (let n = 0; keys.length < count; n++) {
        if (partitionForKey(Buffer.from(`key-${n}`), under.partitions) === partition) keys.push(`key-${n}`);
      }
      return keys;
    }

    /** A key that goes to this one of `count` partitions. */
    function keyIn(partition: number, count: number): string {
      for (let n = 0; ; n++)
        if (partitionForKey(Buffer.from(`key-${n}`), count) === partition) return `key-${n}`;
    }

    it('keeps the order of a partition and places keys as Kafka does', async () => {
      await using t = await fresh();
      const sent = Array.from({ length: 300 }, (_, n) => record(`images/${n % 40}.jpg`, `value ${n}`));
      const placements = [
        ...(await t.producer.send(sent.slice(0, 150))),
        ...(await t.producer.send(sent.slice(150))),
      ];
      const byPartition = new Map<number, string[]>();
      for (const [n, { key, value }] of sent.entries()) {
        const partition = partitionForKey(key as Buffer, under.partitions);
        expect(placements[n]?.partition).toBe(partition);
        byPartition.set(partition, [...(byPartition.get(partition) ?? []), value.toString()]);
      }
      expect(byPartition.size).toBe(under.partitions);
      for (const [partition, values] of byPartition) {
        await using reader = await t.topic.reader({ partition, from: 0, group: 'order' });
        const read = await take(reader, values.length);
        expect(read.map(({ value }) => value?.toString())).toEqual(values);
        expect(read.map(({ offset }) => offset)).toEqual(values.map((_, n) => n));
        const mine = placements.filter((placement) => placement.partition === partition);
        expect(mine.map(({ offset }) => offset)).toEqual(values.map((_, n) => n));
      }
    });

    it('spreads records without a key', async () => {
      await using t = await fresh();
      const placements = await t.producer.send(Array.from({ length: 200 }, () => record(null, 'x')));
      expect(new Set(placements.map(({ partition }) => partition)).size).toBe(under.partitions);
    });

    it('brings key, value, headers and timestamp as they were sent', async () => {
      await using t = await fresh();
      const headers = {
        'request-id': 'a b "c" \\ {d,e}',
        'content-type': 'image/jpeg',
        empty: '',
        grüße: 'čaj 茶 🍵',
      };
      const bytes = randomBytes(300);
      const before = Date.now();
      const [keyed, bare] = await t.producer.send([
        { key: Buffer.from('ключ, "x"'), value: bytes, headers },
        { key: null, value: Buffer.alloc(0), headers: {} },
      ]);
      const read = async (at: typeof keyed) => {
        if (at === undefined) throw new Error('no placement');
        await using reader = await t.topic.reader({
          partition: at.partition,
          from: at.offset,
          group: 'headers',
        });
        return (await take(reader, 1))[0];
      };
      const first = await read(keyed);
      expect(first).toMatchObject({ topic: t.topic.name, ...keyed, headers });
      expect(first?.key).toEqual(Buffer.from('ключ, "x"'));
      expect(first?.value).toEqual(bytes);
      expect(first?.timestamp).toBeGreaterThan(before - 5_000);
      expect(first?.timestamp).toBeLessThan(Date.now() + 5_000);
      const second = await read(bare);
      expect(second).toMatchObject({ key: null, headers: {} });
      expect(second?.value?.length ?? 0).toBe(0);
    });

    it('tells the first offset of a time', async ({ skip }) => {
      skip(!under.complete, 'the mock cluster finds no offsets by time');
      await using t = await fresh();
      const key = keyIn(0, under.partitions);
      await t.producer.send([record(key, 'before')]);
      await sleep(20); // records of one millisecond are one time
      const [second] = await t.producer.send([record(key, 'after')]);
      await using reader = await t.topic.reader({ partition: 0, from: second!.offset, group: 'times' });
      const [{ timestamp }] = (await take(reader, 1)) as [TopicRecord];
      expect(await t.topic.offsetAt(0, 0)).toBe(0);
      expect(await t.topic.offsetAt(0, timestamp)).toBe(1);
      expect(await t.topic.offsetAt(0, timestamp - 1)).toBe(1);
      expect(await t.topic.offsetAt(0, timestamp + 60_000)).toBe(2);
    });

    it('tells bounds, so that lag can be computed, and keeps the commits of each group', async () => {
      await using t = await fresh();
      expect(await t.topic.bounds(0)).toEqual({ first: 0, end: 0 });
      expect(await t.topic.committed('lag', 0)).toBeNull();
      await t.producer.send(keysOf(0, 10).map((key) => record(key, key)));
      expect(await t.topic.bounds(0)).toEqual({ first: 0, end: 10 });
      expect(await t.topic.ends()).toEqual([10, ...Array<number>(under.partitions - 1).fill(0)]);
      await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'lag' });
      await take(reader, 4);
      await reader.commit(0, 4);
      expect(await t.topic.committed('lag', 0)).toBe(4);
      await reader.commit(0, 7);
      await reader.commit(0, 2); // the last write wins, as in Kafka
      expect(await t.topic.committed('lag', 0)).toBe(2);
      expect(await t.topic.committed('another', 0)).toBeNull();
      expect(await t.topic.committed('lag', 1)).toBeNull();
    });

    it('goes on after it was closed and opened again, and loses nothing when a reader dies without a commit', async () => {
      await using t = await fresh();
      const values = keysOf(1, 20);
      await t.producer.send(values.slice(0, 12).map((key) => record(key, key)));
      {
        await using reader = await t.topic.reader({ partition: 1, from: 0, group: 'restart' });
        await take(reader, 5);
        await reader.commit(1, 5);
        await take(reader, 3); // read, never committed
      }
      await t.producer[Symbol.asyncDispose]();
      await using again = await under.open(t.topic.name);
      expect(await again.create(under.partitions)).toEqual({ created: false, partitions: under.partitions });
      await using producer = await again.producer();
      await producer.send(values.slice(12).map((key) => record(key, key)));
      const from = await again.committed('restart', 1);
      expect(from).toBe(5);
      await using reader = await again.reader({ partition: 1, from: 5, group: 'restart' });
      expect((await take(reader, 15)).map(({ value }) => value?.toString())).toEqual(values.slice(5));
    });

    it('brings what is sent while a reader waits', async () => {
      await using t = await fresh();
      await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'live' });
      const [key = ''] = keysOf(0, 1);
      const pulled = reader.records(new AbortController().signal)[Symbol.asyncIterator]();
      for (let n = 0; n < 5; n++) {
        const next = pulled.next();
        await t.producer.send([record(key, `live ${n}`)]);
        const { value } = (await next) as { value: TopicRecord };
        expect(value.value?.toString()).toBe(`live ${n}`);
      }
    });

    it('ends promptly when told to while idle, and again and again', async () => {
      await using t = await fresh();
      await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'cancel' });
      for (let n = 0; n < 3; n++) {
        const stop = new AbortController();
        setTimeout(() => stop.abort(), 30);
        const begun = performance.now();
        for await (const _ of reader.records(stop.signal)) expect.fail('there is nothing to read');
        expect(performance.now() - begun).toBeLessThan(1_000);
      }
      const begun = performance.now();
      await reader[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      expect(performance.now() - begun).toBeLessThan(1_000);
      for await (const _ of reader.records(new AbortController().signal)) expect.fail('the reader is closed');
    });

    it('holds no more than its bound ahead of a slow puller', async () => {
      await using t = await fresh();
      const [key = ''] = keysOf(0, 1);
      const value = randomBytes(100_000);
      for (let n = 0; n < 2; n++) await t.producer.send(Array.from({ length: 10 }, () => record(key, value)));
      const bounds = { prefetchRecords: 4, prefetchBytes: 200_000 };
      await using reader = await t.topic.reader({ partition: 0, from: 0, group: 'slow', ...bounds });
      const before = await bufferedBytes();
      const records = reader.records(new AbortController().signal)[Symbol.asyncIterator]();
      await records.next();
      await new Promise((resolve) => setTimeout(resolve, 200)); // time for a reader without bounds to run ahead
      expect((await bufferedBytes()) - before).toBeLessThan((under.readAhead + 1) * value.length + 100_000);
      for (let n = 1; n < 20; n++) expect((await records.next()).value).toMatchObject({ offset: n });
    });

    it('reads partitions beside each other: one that is not pulled holds up no other, and loses and repeats nothing', async () => {
      await using t = await fresh();
      const count = 400;
      const values = [0, 1, 2].map((partition) => {
        const [key = ''] = keysOf(partition, 1);
        return Array.from({ length: count }, (_, n) => record(key, `${partition}/${n}`));
      });
      for (let n = 0; n < count; n += 100)
        await t.producer.send(values.flatMap((of) => of.slice(n, n + 100)));
      const bounds = { from: 0, group: 'beside', prefetchRecords: 2 }; // in Kafka the first is paused at 128
      const open = (partition: number, from = 0) => t.topic.reader({ ...bounds, partition, from });
      const text = (records: TopicRecord[]) => records.map(({ value }) => value?.toString());
      await using quick = await open(1);
      {
        await using stuck = await open(0);
        await take(stuck, 1);
        expect(await take(quick, count / 2)).toHaveLength(count / 2);
      }
      await using slow = await open(0);
      const pulled = slow.records(new AbortController().signal)[Symbol.asyncIterator]();
      expect((await pulled.next()).value).toMatchObject({ offset: 0 });
      expect(text(await take(quick, count / 2))).toEqual(
        text(values[1]!.slice(count / 2) as unknown as TopicRecord[]),
      );
      for (let n = 1; n < count; n++) expect((await pulled.next()).value).toMatchObject({ offset: n });

      // One comes, goes, and comes again at another place, while the others wait.
      const waiting = pulled.next();
      for (const from of [0, 390, 10]) {
        await using third = await open(2, from);
        expect((await take(third, 10)).map(({ offset }) => offset)).toEqual(
          Array.from({ length: 10 }, (_, n) => from + n),
        );
      }
      await using wrong = await open(2, 5 * count);
      await expect(take(wrong, 1)).rejects.toMatchObject({ code: 'offset_out_of_range' });
      const [key = ''] = keysOf(0, 1);
      await t.producer.send([record(key, 'live')]);
      expect((await waiting).value).toMatchObject({ offset: count });
    });

    it('takes large values up to the limit and refuses what is beyond, that record alone', async () => {
      await using t = await fresh();
      const [key = ''] = keysOf(2, 1);
      const large = randomBytes(under.maxValueBytes);
      const sending = t.producer.send([
        record(key, 'before'),
        record(key, large),
        record(key, Buffer.alloc(1_048_577)),
        record(key, 'after'),
      ]);
      await expect(sending).rejects.toMatchObject({ code: 'message_too_large', retryable: false });
      await using reader = await t.topic.reader({ partition: 2, from: 0, group: 'large' });
      const read = await take(reader, 3);
      expect(read.map(({ value }) => value?.length)).toEqual([6, large.length, 5]);
      expect(read[1]?.value?.equals(large)).toBe(true);
    });

    it('refuses headers that one of the topics could not keep', async () => {
      await using t = await fresh();
      for (const headers of [{ '': 'x' }, { x: 'a\0b' }, { 'a\0b': 'x' }]) {
        await expect(t.producer.send([record('k', 'v', headers)])).rejects.toMatchObject({
          code: 'bad_header',
        });
      }
      expect((await t.topic.bounds(0)).end).toBe(0);
    });

    it('says what is wrong with a topic, a partition or an offset that is not there', async () => {
      await expect(under.open('no/such name')).rejects.toMatchObject({ code: 'bad_topic_name' });
      await using t = await fresh();
      await t.producer.send(keysOf(0, 3).map((key) => record(key, key)));
      const options = { partition: 0, from: 0, group: 'wrong' };
      await expect(t.topic.reader({ ...options, partition: 99 })).rejects.toMatchObject({
        code: 'partition_missing',
      });
      await expect(t.topic.bounds(99)).rejects.toMatchObject({ code: 'partition_missing' });
      await expect(t.topic.create(0)).rejects.toMatchObject({ code: 'bad_partition_count' });
      await using reader = await t.topic.reader({ ...options, from: 50 });
      await expect(take(reader, 1)).rejects.toMatchObject({ code: 'offset_out_of_range', retryable: false });
    });

    itSettles(
      'shares partitions in a group: two members split them, the last takes all',
      async () => {
        await using t = await fresh();
        const all = under.partitions;
        const [first, second] = [new Held(), new Held()];
        const a = await t.topic.join('group', 'host:1', first);
        await first.until((held) => held.size === all);

        // The second may not get a partition before the first has finished with it.
        let draining: number[] = [];
        first.onRevoke = async (partitions) => {
          draining = partitions;
          await new Promise((resolve) => setTimeout(resolve, 50));
          expect(partitions.some((partition) => second.partitions.has(partition))).toBe(false);
          draining = [];
        };
        const assigned = second.assigned.bind(second);
        second.assigned = async (partitions) => {
          expect(partitions.some((partition) => draining.includes(partition))).toBe(false);
          await assigned(partitions);
        };
        await using other = await under.open(t.topic.name);
        const b = await other.join('group', 'host:2', second);
        await second.until((held) => held.size > 0 && held.size + first.partitions.size === all);
        expect([...first.partitions, ...second.partitions].sort()).toEqual(
          Array.from({ length: all }, (_, n) => n),
        );

        // Reading and committing as a member does.
        const [mine = 0] = second.partitions;
        await t.producer.send(keysOf(mine, 3).map((key) => record(key, key)));
        await using reader = await other.reader({ partition: mine, from: 0, group: 'group' });
        expect(await take(reader, 3)).toHaveLength(3);
        await b.commit(mine, 3);
        expect(await t.topic.committed('group', mine)).toBe(3);

        const begun = performance.now();
        await a[Symbol.asyncDispose]();
        await a[Symbol.asyncDispose]();
        await a.ended;
        expect(first.partitions.size).toBe(0);
        expect(first.events.some((event) => event.startsWith('lost'))).toBe(false);
        await second.until((held) => held.size === all);
        expect(performance.now() - begun).toBeLessThan(under.settleMs);
        await b[Symbol.asyncDispose]();
        expect(second.partitions.size).toBe(0);
      },
      90_000,
    );

    it(
      'gains partitions while it is in use: whoever sends and the members of a group find them',
      { timeout: 60_000 },
      async ({ skip }) => {
        if (!under.complete) skip('no partitions can be added here');
        await using t = await fresh();
        const { partitions } = under;
        const held = new Held();
        await using _member = await t.topic.join('group', 'host:1', held);
        await held.until(({ size }) => size === partitions);

        const [a, b] = await Promise.all([t.topic.grow(partitions + 1), t.topic.grow(partitions + 2)]);
        expect([a.partitions >= partitions + 1, b.partitions]).toEqual([true, partitions + 2]);
        const same = { before: partitions + 2, partitions: partitions + 2 };
        expect(await t.topic.grow(partitions + 2)).toEqual(same);
        expect(await t.topic.grow(1)).toEqual(same);
        expect(await t.topic.partitions()).toBe(partitions + 2);

        // The producer was opened before.
        const key = keyIn(partitions + 1, partitions + 2);
        const place = async () => (await t.producer.send([record(key, 'new')]))[0]?.partition;
        await expect.poll(place, { timeout: 30_000 }).toBe(partitions + 1);
        await using reader = await t.topic.reader({ partition: partitions + 1, from: 0, group: 'group' });
        expect((await take(reader, 1))[0]).toMatchObject({ offset: 0 });
        await held.until(({ size }) => size === partitions + 2);

        await using missing = await under.open(`test.${randomBytes(6).toString('hex')}`);
        await expect(missing.grow(9)).rejects.toMatchObject({ code: 'topic_missing' });
      },
    );

    it('ends a membership whose handler fails', { timeout: 60_000 }, async () => {
      await using t = await fresh();
      const membership = await t.topic.join('failing', 'host:1', {
        assigned: () => Promise.reject(new Error('no lease')),
        revoked: () => Promise.resolve(),
      });
      await expect(membership.ended).rejects.toThrow('no lease');
      await membership[Symbol.asyncDispose]();
    });
  });
}
