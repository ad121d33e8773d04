/** What `consume` does when single images, the store, the database or it itself misbehave: real topic and database. */
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { claim } from '../../src/lib/systems/database/tables/owners.ts';
import { fault, setUp } from '../support/fake-consumer.ts';
import { listing, S3Stub, s3Fault, type StubAnswer } from '../support/s3-stub.ts';
import { itThorough } from '../support/thorough.ts';

describe('an object that is not there', () => {
  itThorough('is waited for a little, for a message can outrun it, and is a dead letter then', async () => {
    const { state, run, outcomes, events } = await setUp(['late', 'never', 'there']);
    let asked = 0;
    state.storeFault = (key) =>
      key === 'never' || (key === 'late' && ++asked < 4) ? fault('not_found') : null;
    await run({ notFoundGraceMs: 1500 });
    expect(await outcomes()).toEqual({ late: null, never: 'not_found', there: null });
    expect(events.filter((event) => event.kind === 'waiting')).toEqual([]);
  });

  it('is a dead letter at once behind an old message', async () => {
    const { pool, state, run, outcomes } = await setUp(['never']);
    await pool.query('update topic_records set timestamp_ms = timestamp_ms - 60000');
    state.storeFault = () => fault('not_found');
    const began = performance.now();
    await run({ notFoundGraceMs: 50_000 });
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await outcomes()).toEqual({ never: 'not_found' });
  });
});

describe('what may pass', () => {
  it('is a dead letter when it is one object that goes on failing while others succeed', async () => {
    const { state, run, outcomes, events } = await setUp(['a', 'broken', 'b', 'c']);
    state.storeFault = (key) => (key === 'broken' ? fault('unavailable') : null);
    await run({ retryImageForMs: 500 });
    expect(await outcomes()).toEqual({ a: null, b: null, broken: 'unavailable', c: null });
    expect(events).toContainEqual({ kind: 'waiting', partition: 0, reason: 'unavailable' });
  });

  itThorough('is waited for however long where nothing else succeeds', async () => {
    const { state, run, outcomes, seen, events } = await setUp(['a', 'b', 'c', 'd']);
    // One was had before the store went away: it is no proof that the store is there.
    let away = false;
    state.storeFault = (key) => (away || key !== 'a' ? ((away = true), fault('unavailable')) : null);
    const running = run({ retryImageForMs: 100 });
    await seen((event) => event.kind === 'waiting');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(events.filter((event) => event.kind === 'dead letter')).toEqual([]);
    state.storeFault = () => null;
    await running;
    expect(await outcomes()).toEqual({ a: null, b: null, c: null, d: null });
  });

  itThorough('never gives up a belt for want of rights, though other images can be had', async () => {
    const { state, run, outcomes, seen, events } = await setUp(['a', 'x1', 'b', 'x2', 'c']);
    state.storeFault = (key) => (key.startsWith('x') ? fault('access_denied') : null);
    const running = run({ retryImageForMs: 100 });
    await seen((event) => event.kind === 'waiting');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(events.filter((event) => event.kind === 'dead letter')).toEqual([]);
    state.storeFault = () => null;
    await running;
    expect(Object.values(await outcomes())).toEqual([null, null, null, null, null]);
  });

  it('is a dead letter when an image has ended its thread three times', async () => {
    const { state, run, outcomes } = await setUp(['a', 'deadly']);
    let deaths = 0;
    state.classify = (key) => {
      if (key !== 'deadly') return Promise.resolve();
      deaths++;
      return Promise.reject(new VisionscaleError('gone', { code: 'worker_crashed', retryable: true }));
    };
    await run();
    expect(await outcomes()).toEqual({ a: null, deadly: 'worker_crashed' });
    expect(deaths).toBe(3);
  });
});

describe('the oldest message that is not recorded', () => {
  it('is told while it waits, by its timestamp, and no more when all is recorded', async () => {
    const { pool, state, run, seen, events } = await setUp(['a', 'b', 'c']);
    await pool.query(`update topic_records set timestamp_ms = timestamp_ms - 60000 where "offset" = 0`);
    const { rows } = await pool.query<{ ms: string }>(
      'select timestamp_ms as ms from topic_records order by "offset"',
    );
    const [first, second] = rows.map(({ ms }) => Number(ms));
    state.storeFault = () => fault('unavailable');
    const running = run();
    const oldest = (at: number) =>
      seen((event) => (event.kind === 'lag' || event.kind === 'recorded') && event.oldest === at);
    await oldest(first!);
    state.storeFault = (key) => (key === 'a' ? null : fault('unavailable'));
    await oldest(second!);
    state.storeFault = () => null;
    await running;
    expect(events.findLast((event) => event.kind === 'recorded')).toMatchObject({ lag: 0, oldest: null });
  });
});

describe('an offset', () => {
  it('is committed to the topic only when its outcome is recorded', async () => {
    const { pool, topic, state, run, seen, stop } = await setUp(['a', 'b', 'c']);
    // Somebody else has the partition by the time there is something to record.
    state.classify = async () => {
      await pool.query(
        `update owners set owner = 'other', epoch = epoch + 1, expires_at = now() + interval '1 h'`,
      );
    };
    const running = run({ untilDrained: false });
    await seen((event) => event.kind === 'lost');
    await seen((event) => event.kind === 'standing by');
    expect(await topic.committed('p', 0)).toBeNull();
    stop.abort();
    await running;
    expect((await pool.query('select 1 from positions')).rowCount).toBe(0);
  });
});

describe('an outcome that the database refuses', () => {
  it('becomes a dead letter, and the others of its group are kept', async () => {
    const keys = [...Array(20).keys()].map((n) => `image-${n}`);
    const { pool, run } = await setUp(keys);
    await pool.query(`alter table prediction_results add check (image_key <> 'image-7')`);
    expect(await run()).toMatchObject({ predicted: 19, deadLettered: 1 });
    const { rows } = await pool.query(
      'select code, stage, "offset", convert_from(message_value, $1) as value from dead_letters',
      ['utf8'],
    );
    expect(rows).toEqual([{ code: 'not_recordable', stage: 'record', offset: 7, value: 'image-7' }]);
    const { rows: positions } = await pool.query(
      'select next_offset, predicted, dead_lettered from positions',
    );
    expect(positions).toEqual([{ next_offset: 20, predicted: 19, dead_lettered: 1 }]);
  });
});

describe('memory', () => {
  it('holds no more bytes of images than it is told, whatever waits', async () => {
    const { state, run } = await setUp([...Array(60).keys()].map(String));
    state.bytes = 300;
    await run({ imageMemoryBytes: 1000 });
    expect(state.mostHeld).toBe(900);
  });

  it('takes an image that is larger than that, alone', async () => {
    const { state, run, outcomes } = await setUp(['a', 'b', 'c']);
    state.bytes = 300;
    await run({ imageMemoryBytes: 100 });
    expect(state.mostHeld).toBe(300);
    expect(Object.keys(await outcomes())).toHaveLength(3);
  });
});

describe('a consumer that does not get on', () => {
  it('says what hangs, and ends', async () => {
    const { pool, state, run, events } = await setUp(['a', 'hangs', 'c']);
    state.classify = (key) => (key === 'hangs' ? new Promise(() => undefined) : Promise.resolve());
    const running = run({ stallTimeoutMs: 1000 });
    await expect(running).rejects.toMatchObject({
      code: 'stalled',
      message: expect.stringMatching(
        /2 messages wait at offset 1, none was recorded for 1 s.*1 classifying; longest hangs, classifying for \d s/,
      ) as string,
    });
    expect(events.map((event) => event.kind)).toContain('stalled');
    expect(events.at(-1)?.kind).toBe('released');
    const { rows } = await pool.query('select owner from owners');
    expect(rows).toEqual([{ owner: null }]);
  });

  itThorough('has not stalled while an image takes its time, however long', async () => {
    const { state, run, events, outcomes } = await setUp(['a', 'slow', 'c']);
    state.classify = async (key) => {
      for (let ms = 0; key === 'slow' && ms < 3500; ms += 50) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        state.workedMs += 50;
      }
    };
    await run({ stallTimeoutMs: 1000 });
    expect(events.map((event) => event.kind)).not.toContain('stalled');
    expect(await outcomes()).toEqual({ a: null, slow: null, c: null });
  });

  itThorough('is followed by one that is careful, for what hung may hang again', async () => {
    const { pool, state, run, events, outcomes } = await setUp(['a', 'hangs', 'c']);
    state.classify = (key) => (key === 'hangs' ? new Promise(() => undefined) : Promise.resolve());
    await expect(run({ stallTimeoutMs: 1000 })).rejects.toMatchObject({ code: 'stalled' });
    expect(events.map((event) => event.kind)).not.toContain('careful');
    state.classify = () => Promise.resolve();
    await run({ owner: 'next' });
    expect(events).toContainEqual({ kind: 'careful', partition: 0, messages: 2 });
    expect(await outcomes()).toEqual({ a: null, hangs: null, c: null });
    expect((await pool.query('select 1 from suspects')).rowCount).toBe(0);
  });

  itThorough(
    'ends soon when it is told to, whatever hangs: that image is delivered again',
    async () => {
      const { pool, state, run, events, outcomes, seen, stop } = await setUp(['a', 'hangs', 'c']);
      state.classify = (key, signal) =>
        key !== 'hangs'
          ? Promise.resolve()
          : new Promise((_, reject) =>
              signal?.addEventListener('abort', () => reject(signal.reason as Error)),
            );
      const running = run({ untilDrained: false });
      await seen((event) => event.kind === 'recorded');
      stop.abort();
      await running;
      expect(await outcomes()).toEqual({ a: null });
      expect((await pool.query('select owner, state from owners')).rows).toEqual([
        { owner: null, state: 'released' },
      ]);
      expect(events.map((event) => event.kind)).not.toContain('stalled');
    },
    60_000,
  );

  itThorough(
    'is one that still answers the images of a single message, however long that takes',
    async () => {
      const { topic, run, state, events } = await setUp([]);
      const Records = Array.from({ length: 40 }, (_, n) => ({
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'own' }, object: { key: `${n}`, eTag: 'e' } },
      }));
      await using producer = await topic.producer();
      await producer.send([{ key: null, value: Buffer.from(JSON.stringify({ Records })), headers: {} }]);
      let turn = Promise.resolve();
      const work = () => new Promise<void>((resolve) => setTimeout(resolve, 150));
      state.classify = () => (turn = turn.then(work));
      const messages = { store: { bucket: 'own', prefix: '' }, buckets: [], eventKeys: 'auto' as const };
      expect(await run({ stallTimeoutMs: 2000, messages })).toMatchObject({ predicted: 40 });
      expect(events.map((event) => event.kind)).not.toContain('stalled');
    },
  );

  itThorough('waits for as long as the cause is known', async () => {
    const { state, run, seen, events } = await setUp(['a']);
    state.storeFault = () => fault('unavailable');
    const running = run({ stallTimeoutMs: 1000 });
    await seen((event) => event.kind === 'waiting');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(events.map((event) => event.kind)).not.toContain('stalled');
    state.storeFault = () => null;
    await running;
  });
});

describe('a consumer that is told to stop', () => {
  itThorough(
    'while the topic does not answer ends at once, and takes nothing that it has released',
    async () => {
      const { topic, run, seen, events, stop } = await setUp([]);
      let asked = 0;
      let hangs: () => void = () => undefined;
      const hanging = new Promise<void>((resolve) => (hangs = resolve));
      const silent = new Proxy(topic, {
        get(target, name) {
          if (name === 'partitions' && ++asked > 1) return () => (hangs(), new Promise(() => undefined));
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      const running = run({ untilDrained: false }, { topic: silent }, { kind: 'any' });
      await seen((event) => event.kind === 'owning');
      await hanging;
      stop.abort();
      await running;
      const kinds = events.map(({ kind }) => kind).filter((kind) => kind === 'owning' || kind === 'released');
      expect(kinds).toEqual(['owning', 'released']);
    },
  );
});

describe('after an owner that ended abnormally', () => {
  const died = async (pool: Awaited<ReturnType<typeof setUp>>['pool']) => {
    const id = { pipeline: 'p', topic: 'images', partition: 0 };
    await claim(pool, id, { owner: 'dead', hostname: 'h', mode: 'partition' });
    await pool.query('update owners set expires_at = clock_timestamp()');
  };

  it('takes its window one at a time, and then as usual', async () => {
    const { pool, state, run, events } = await setUp([...Array(110).keys()].map(String));
    const alone: boolean[] = [];
    state.classify = () => {
      alone.push(state.atOnce === 1);
      return Promise.resolve();
    };
    await died(pool);
    await run();
    expect(events).toContainEqual({ kind: 'careful', partition: 0, messages: 64 });
    expect(alone.slice(0, 64)).toEqual(Array(64).fill(true));
    expect(alone.slice(64)).toContain(false);
    expect((await pool.query('select 1 from suspects')).rowCount).toBe(0);
  });

  it('gives up the request that was alone at three crashes, and no other', async () => {
    const { pool, run, outcomes } = await setUp(['innocent', 'deadly', 'other']);
    const { rows } = await pool.query<{ id: string; n: number }>(
      `select 'images/0/' || "offset" || '@' || timestamp_ms as id, "offset" as n from topic_records order by 2`,
    );
    // The first was alone twice when somebody killed the process; the second, three times.
    for (const [n, starts] of [
      [0, 2],
      [1, 3],
    ] as const)
      await pool.query(
        `insert into suspects (pipeline, request_id, owner, starts) values ('p', $1, 'dead', $2)`,
        [rows[n]!.id, starts],
      );
    await died(pool);
    await run();
    expect(await outcomes()).toEqual({ innocent: null, deadly: 'crashes_process', other: null });
    expect((await pool.query('select 1 from suspects')).rowCount).toBe(0);
  });

  it('blames no image for a mark that the database refuses', async () => {
    const { pool, run, outcomes, seen, events } = await setUp(['a', 'b']);
    await died(pool);
    // What a full disk looks like from here.
    await pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin
         raise 'could not write init file' using errcode = 'XX000'; end $$`,
    );
    await pool.query('create trigger refuse before insert on suspects execute function refuse()');
    const running = run();
    await seen((event) => event.kind === 'waiting' && event.reason.includes('init file'));
    await pool.query('drop trigger refuse on suspects');
    await running;
    expect(events.filter((event) => event.kind === 'dead letter')).toEqual([]);
    expect(await outcomes()).toEqual({ a: null, b: null });
  });

  it('does so only where the partition was not given back', async () => {
    const { pool, run, events } = await setUp(['a', 'b']);
    await died(pool);
    await pool.query('update owners set owner = null');
    await run();
    expect(events.map((event) => event.kind)).not.toContain('careful');
  });
});

describe('what a store answers about one object', () => {
  const answers: Record<string, StubAnswer> = {
    gone1: { status: 404 },
    gone2: { status: 404, type: 'text/html', body: '<html><p>Not <br>found</html>' },
    cold1: s3Fault(403, 'InvalidObjectState'),
    cold2: s3Fault(403, 'InvalidObjectState'),
    locked1: s3Fault(400, 'KMS.DisabledException'),
    locked2: s3Fault(400, 'InvalidRequest', 'The object was stored using a form of Server Side Encryption.'),
    odd1: s3Fault(400, 'ObjectIsHaunted'),
    odd2: s3Fault(422, 'ObjectIsHaunted'),
  };

  it('is a dead letter at once, however many there are, and stops nothing', async () => {
    const keys = ['good1', ...Object.keys(answers), 'good2', 'good3'];
    const { run, outcomes, events } = await setUp(keys);
    await using stub = await S3Stub.open();
    stub.object = (key) => answers[key] ?? { status: 200, body: key };
    await using store = stub.store();
    await run({ notFoundGraceMs: 100 }, { store });
    expect(await outcomes()).toEqual({
      ...{ good1: null, good2: null, good3: null },
      ...{ gone1: 'not_found', gone2: 'not_found', cold1: 'archived', cold2: 'archived' },
      ...{ locked1: 'refused', locked2: 'refused', odd1: 'refused', odd2: 'refused' },
    });
    expect(events.filter((event) => event.kind === 'waiting')).toEqual([]);
  });

  it('is waited for where the bucket is gone, and nothing is given up', async () => {
    const { run, outcomes, events, seen } = await setUp(['a', 'b', 'c']);
    await using stub = await S3Stub.open();
    stub.object = () => ({ status: 404 });
    // It is there when the consumer starts.
    stub.bucket = () => (stub.asked.some((key) => key !== '') ? s3Fault(404, 'NoSuchBucket') : listing);
    await using store = stub.store();
    const running = run({ notFoundGraceMs: 0, retryImageForMs: 0 }, { store });
    await seen((event) => event.kind === 'waiting' && event.reason.includes('does not exist'));
    expect(events.filter((event) => event.kind === 'dead letter')).toEqual([]);
    stub.object = (key) => ({ status: 200, body: key });
    await running;
    expect(await outcomes()).toEqual({ a: null, b: null, c: null });
  });
});
