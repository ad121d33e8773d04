/** `dead-letters add`: a message that holds up its partition is moved out of the way, beside its consumer or without one. */
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/lib/pipeline/audit/audit.ts';
import { addDeadLetter, type AddOptions } from '../../src/lib/pipeline/dead-letters/add.ts';
import { retryDeadLetters } from '../../src/lib/pipeline/dead-letters/dead-letters.ts';
import { header, type OutgoingRecord } from '../../src/lib/systems/message/record.ts';
import type { MessageRules } from '../../src/lib/systems/message/rules.ts';
import { setUp } from '../support/fake-consumer.ts';
import { thorough } from '../support/thorough.ts';

const rules: MessageRules = { store: { bucket: 'own', prefix: '' }, buckets: [], eventKeys: 'auto' };

async function stream(records: (string | Partial<OutgoingRecord>)[]) {
  const consumer = await setUp([]);
  const { pool, topic } = consumer;
  const send = async (more: (string | Partial<OutgoingRecord>)[]) => {
    await using producer = await topic.producer();
    const whole = more.map((one) => (typeof one === 'string' ? { value: Buffer.from(one) } : one));
    await producer.send(whole.map((one) => ({ key: null, value: Buffer.alloc(0), headers: {}, ...one })));
  };
  await send(records);
  const query = async <Row extends object>(text: string) => (await pool.query<Row>(text)).rows;
  const common = { pipeline: 'p', partition: 0, rules, by: 'ann on host', reason: null, hostname: 'host' };
  return {
    ...consumer,
    send,
    run: (options: Parameters<typeof consumer.run>[0] = {}) => consumer.run({ messages: rules, ...options }),
    add: (offset: number, more: Partial<AddOptions> = {}) =>
      addDeadLetter(pool, topic, {
        ...common,
        offset,
        publish: false,
        confirm: () => Promise.resolve(true),
        ...more,
      }),
    letters: () =>
      query('select code, message, state, request_id as id, image_key as key from dead_letters order by id'),
    predicted: async () =>
      (await query<{ key: string }>('select image_key as key from prediction_results order by id')).map(
        (r) => r.key,
      ),
    position: async () =>
      (await query('select next_offset as next, predicted, dead_lettered as dead from positions'))[0],
    retryAll: () =>
      retryDeadLetters(pool, topic, {
        selection: { pipeline: 'p' },
        signal: new AbortController().signal,
        report: () => undefined,
      }),
    audited: () =>
      audit(
        { pool, topic, store: null, report: () => undefined },
        { pipeline: 'p', rules, limit: 10, nameUnlisted: false, signal: new AbortController().signal },
      ),
  };
}

const event = (...keys: string[]) => ({
  value: Buffer.from(
    JSON.stringify({
      Records: keys.map((key) => ({
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'own' }, object: { key, sequencer: '0055AED6DCD90281E5' } },
      })),
    }),
  ),
});
const named = (key: string, id: string) => ({ value: Buffer.from(key), headers: { [header.requestId]: id } });

describe('a message that its consumer is stuck with', () => {
  const stuck = [
    ['the last of many', 40],
    ['an image that never ends', 0],
  ] as const;
  it.each(thorough ? stuck : stuck.slice(0, 1))(
    'is passed over where it is %s, and what follows goes on',
    async (_, before) => {
      const keys = Array.from({ length: before }, (_, n) => `${n}`);
      const { run, add, state, seen, stop, letters, predicted, position, audited, retryAll } = await stream([
        ...keys, named('stuck', 'h:1'), 'after',
      ]); // prettier-ignore
      state.classify = (key) => (key === 'stuck' ? new Promise(() => undefined) : Promise.resolve());
      const running = run({ untilDrained: false });
      await seen((e) => e.kind === 'owning' || e.kind === 'recorded');
      const added = await add(before, { reason: 'it hangs' });
      expect(added).toMatchObject({ requestId: 'h:1', isNew: true, letter: 1 });
      await seen(
        (e) =>
          e.kind === 'recorded' &&
          e.outcomes.some((o) => o.kind === 'prediction' && o.request.imageKey === 'after'),
      );
      stop.abort();
      await running;
      expect(await letters()).toEqual([
        {
          code: 'moved_by_hand',
          message: 'moved by ann on host: it hangs',
          state: 'open',
          id: 'h:1',
          key: 'stuck',
        },
      ]);
      expect(await predicted()).toEqual([...keys, 'after']);
      expect(await position()).toMatchObject({ next: before + 2, predicted: before + 1 });
      expect(await audited()).toMatchObject({ ok: true, missing: 0, doubled: 0, orphaned: 0 });
      expect(await retryAll()).toMatchObject({ retried: 1 });
    },
  );

  it('is passed over where the database does not take it', async () => {
    const { run, pool, add, seen, letters, predicted, events } = await stream(['a', 'odd', 'b']);
    await pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin
         if new.image_key = 'odd' then raise 'could not write' using errcode = 'XX000'; end if; return new; end $$;
       create trigger refuse before insert on prediction_results for each row execute function refuse()`,
    );
    const running = run();
    await seen((e) => e.kind === 'retrying' && e.stage === 'record');
    await add(1);
    await running;
    expect(await letters()).toMatchObject([{ code: 'moved_by_hand', key: 'odd' }]);
    expect(await predicted()).toEqual(['a', 'b']);
    expect(events.map((e) => e.kind)).not.toContain('stalled');
  });

  it('may ask for many images: it is one dead letter, and all of them once that is retried', async () => {
    const { run, add, state, seen, stop, letters, predicted, audited, retryAll } = await stream([
      event('1', '2', '3'), 'after',
    ]); // prettier-ignore
    state.classify = (key) => (key === '2' ? new Promise(() => undefined) : Promise.resolve());
    const running = run({ untilDrained: false });
    await seen((e) => e.kind === 'owning');
    expect(await add(0)).toMatchObject({ isNew: true, position: 1, requestId: expect.stringMatching(/^images\/0\/0@/) as string }); // prettier-ignore
    await seen((e) => e.kind === 'recorded' && e.predicted === 1);
    expect(await predicted()).toEqual(['after']);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
    state.classify = () => Promise.resolve();
    await retryAll();
    await seen((e) => e.kind === 'recorded' && e.predicted === 3);
    stop.abort();
    await running;
    expect(await letters()).toMatchObject([{ code: 'moved_by_hand', state: 'resolved', key: null }]);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
  });
});

describe('without a consumer', () => {
  it('the next one begins behind it', async () => {
    const { run, add, predicted, position, letters } = await stream(['a', 'b']);
    expect(await add(0)).toMatchObject({ position: 1, owner: null });
    expect(await position()).toEqual({ next: 1, predicted: 0, dead: 1 });
    expect(await run()).toMatchObject({ predicted: 1 });
    expect(await predicted()).toEqual(['b']);
    expect(await letters()).toMatchObject([{ code: 'moved_by_hand', key: 'a' }]);
  });

  it('one that lies ahead is a dead letter already, and what comes of it later changes nothing', async () => {
    const { run, add, predicted, position, letters, audited } = await stream(['a', event('1', '2'), 'c']);
    expect(await add(1)).toMatchObject({ isNew: true, position: 0 });
    expect(await position()).toBeUndefined();
    expect(await run()).toMatchObject({ predicted: 2, deadLettered: 0 });
    expect(await predicted()).toEqual(['a', 'c']);
    expect(await letters()).toHaveLength(1);
    expect(await audited()).toMatchObject({ ok: true });
  });

  it('what is recorded, and what is not there, is refused and changes nothing', async () => {
    const { run, add, letters } = await stream(['a', 'b']);
    await run();
    await expect(add(0)).rejects.toMatchObject({ code: 'already_recorded', message: expect.stringContaining('is at offset 2') as string }); // prettier-ignore
    await expect(add(2)).rejects.toMatchObject({ code: 'no_such_message' });
    await expect(add(0, { partition: 1 })).rejects.toMatchObject({ code: 'no_such_partition' });
    await expect(add(0, { pipeline: 'another' })).resolves.toMatchObject({ isNew: true });
    expect(await letters()).toHaveLength(1);
  });

  it('nothing is done unless it is confirmed', async () => {
    const { add, letters, position } = await stream(['a']);
    const seen: unknown[] = [];
    const confirm = (found: { imageKey: string | null }) =>
      Promise.resolve(void seen.push(found.imageKey) as never);
    expect(await add(0, { confirm: (found) => confirm(found).then(() => false) })).toBeNull();
    expect([seen, await letters(), await position()]).toEqual([['a'], [], undefined]);
  });

  it('a second delivery of a request that has a result makes no dead letter, and is passed over all the same', async () => {
    const { run, add, send, letters, predicted, audited } = await stream([named('a', 'h:1')]);
    await run();
    await send([named('a', 'h:1'), 'b']);
    expect(await add(1)).toMatchObject({ letter: null, isNew: false, position: 2 });
    await run();
    expect([await letters(), await predicted()]).toEqual([[], ['a', 'b']]);
    expect(await audited()).toMatchObject({ ok: true });
  });

  it('a retry that holds up its partition is one attempt more of its letter', async () => {
    const { run, add, state, letters, pool, retryAll, predicted } = await stream(['a']);
    await add(0);
    await retryAll();
    expect(await add(1)).toMatchObject({ isNew: false, letter: 1, position: 2 });
    expect((await pool.query('select attempts from dead_letters')).rows).toEqual([{ attempts: 2 }]);
    await retryAll();
    state.classify = () => Promise.resolve();
    expect(await run()).toMatchObject({ predicted: 1 });
    expect(await letters()).toMatchObject([{ state: 'resolved' }]);
    expect(await predicted()).toEqual(['a']);
  });

  it('what only says that it retries another letter has one of its own, and that one stays as it is', async () => {
    const { run, add, send, state, letters, retryAll, predicted, audited } = await stream([
      named('a', 'mine'),
    ]);
    await add(0);
    const before = await letters();
    await send([{ value: Buffer.from('b'), headers: { [header.requestId]: 'mine', [header.retry]: '1' } }]);
    const added = await add(1);
    expect(added).toMatchObject({
      isNew: true,
      letter: 2,
      requestId: expect.stringMatching(/\/1@/) as string,
    });
    expect(await letters()).toEqual(expect.arrayContaining(before));
    expect(await audited()).toMatchObject({ ok: true });
    await retryAll();
    state.classify = () => Promise.resolve();
    expect(await run()).toMatchObject({ predicted: 2 });
    expect((await predicted()).sort()).toEqual(['a', 'b']);
    expect(await letters()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }]);
    expect(await audited()).toMatchObject({ ok: true });
  });

  it('a part with an older letter of its own keeps no other part from being answered', async () => {
    const alone = { ...JSON.parse(String(event('2').value)), EventName: 's3:ObjectCreated:Put' } as object;
    const { run, add, send, state, letters, retryAll, predicted } = await stream([
      { value: Buffer.from(JSON.stringify(alone)) },
    ]);
    await add(0);
    await send([event('1', '2', '3')]);
    await add(1);
    expect(await letters()).toContainEqual(expect.objectContaining({ key: null, state: 'open' }));
    await retryAll();
    state.classify = () => Promise.resolve();
    await run();
    expect((await predicted()).sort()).toEqual(['1', '2', '3']);
    expect(await letters()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }]);
  });
});
