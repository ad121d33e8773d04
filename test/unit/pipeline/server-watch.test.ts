/** Who asks the servers: when one counts as away, when as back, and what is told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { DatabaseError, ObjectError } from '../../../src/lib/base/errors.ts';
import { ageText } from '../../../src/lib/base/report/age.ts';
import {
  askStore,
  awayLine,
  faultOf,
  type ServerEvent,
  ServerWatch,
} from '../../../src/lib/pipeline/server-watch.ts';
import type { ObjectStore } from '../../../src/lib/systems/objects/store.ts';

const times = { everyMs: 20, timeoutMs: 100, againMs: 5, remindMs: 60_000 };

function opened(given: Partial<typeof times> = {}) {
  const watch = new ServerWatch({ ...times, ...given });
  const events: ServerEvent[] = [];
  watch.listen((event) => events.push(event));
  const told = () =>
    events.map((event) =>
      event.kind === 'back' ? 'back' : `away: ${event.reason}${event.again ? ' again' : ''}`,
    );
  return { watch, told, events };
}

const away = () => Promise.reject(new DatabaseError('refused', { code: 'x', retryable: true }));

describe('the watch over the servers', () => {
  it('tells once that one is away and once that it is back', async () => {
    const { watch, told } = opened();
    let up = true;
    using _asks = watch.watch('database', {
      where: 'PostgreSQL',
      ask: () => (up ? Promise.resolve() : away()),
    });
    await sleep(60);
    expect(told()).toEqual([]);
    up = false;
    await vi.waitFor(() => expect(told()).toEqual(['away: refused']), 10_000);
    await sleep(100);
    expect(told()).toHaveLength(1);
    expect(watch.away).toMatchObject([{ server: 'database', reason: 'refused' }]);
    up = true;
    await vi.waitFor(() => expect(told()).toEqual(['away: refused', 'back']), 10_000);
    expect(watch.away).toEqual([]);
  });

  it('forgives one refusal, as of a connection that was idle', async () => {
    const { watch, told } = opened();
    let asked = 0;
    using _asks = watch.watch('database', {
      where: 'PostgreSQL',
      ask: () => (++asked % 2 === 1 ? away() : Promise.resolve()),
    });
    await vi.waitFor(() => expect(asked).toBeGreaterThan(5), 10_000);
    expect(told()).toEqual([]);
  });

  it('counts one as away that hangs, asks it no second time meanwhile, and hears when it answers', async () => {
    const { watch, told } = opened();
    let asked = 0;
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    // An answer that comes between two rounds is followed by another question.
    using _asks = watch.watch('store', { where: 'the store', ask: () => (asked++, answered) });
    await vi.waitFor(() => expect(told()).toEqual(['away: the store has not answered for 0 s']), 10_000);
    await sleep(200);
    expect(asked).toBe(1);
    answer();
    await vi.waitFor(() => expect(told()).toContain('back'), 10_000); // and away again, soon
  });

  it('tells again after a while, with the newest reason and when it began', async () => {
    const { watch, told, events } = opened({ remindMs: 300 });
    let reason = 'refused';
    using _asks = watch.watch('topic', { where: 'Kafka', ask: () => Promise.reject(new Error(reason)) });
    await vi.waitFor(() => expect(told()).toHaveLength(1), 10_000);
    reason = 'no route';
    await vi.waitFor(() => expect(told()).toHaveLength(2), 10_000);
    expect(told().slice(0, 2)).toEqual(['away: refused', 'away: no route again']);
    expect(events[1]).toMatchObject({ since: (events[0] as { since: Date }).since });
  });

  it('knows while a client is opened that its server is away', async () => {
    const { watch, events } = opened();
    await expect(watch.opening('database', away)).rejects.toThrow('refused');
    await expect(watch.opening('database', away)).rejects.toThrow('refused');
    expect(events).toMatchObject([{ kind: 'away', starting: true, server: 'database' }]);
    expect(await watch.opening('database', () => Promise.resolve(7))).toBe(7);
    expect(events).toMatchObject([{ kind: 'away' }, { kind: 'back' }]);
  });

  it('asks at once where something has just failed', async () => {
    const { watch, told } = opened({ everyMs: 10_000 });
    let up = true;
    using _asks = watch.watch('database', {
      where: 'PostgreSQL',
      ask: () => (up ? Promise.resolve() : away()),
    });
    await sleep(20);
    up = false;
    watch.look();
    await vi.waitFor(() => expect(told()).toEqual(['away: refused']), 10_000);
  });

  it('says nothing any more once it is disposed of', async () => {
    const { watch, told } = opened();
    {
      using _asks = watch.watch('database', { where: 'PostgreSQL', ask: away });
    }
    await sleep(100);
    expect(told()).toEqual([]);
  });
});

describe('the question to an object store', () => {
  const store = (exists: () => Promise<boolean>) => ({ url: 's3://b', exists }) as ObjectStore;
  const denied = () => Promise.reject(new ObjectError('access denied', { code: 'access_denied' }));

  it('is answered by a refusal to list only for those who need not list', async () => {
    await expect(askStore(store(denied), { listable: true }).ask()).rejects.toThrow('access denied');
    await expect(askStore(store(denied), { listable: false }).ask()).resolves.toBeUndefined();
  });

  it('is a cheap one, but for one a minute', async () => {
    const quick: (boolean | undefined)[] = [];
    const seen = {
      url: 's3://b',
      exists: (options?: { quick?: boolean }) => (quick.push(options?.quick), Promise.resolve(true)),
    } as unknown as ObjectStore;
    const { ask } = askStore(seen, { listable: true });
    for (let n = 0; n < 80; n++) await ask();
    expect(quick.flatMap((cheap, n) => (cheap ? [] : [n]))).toEqual([0, 40]);
  });

  it('is not answered by a store that is not there', async () => {
    const missing = store(() => Promise.resolve(false));
    await expect(askStore(missing, { listable: false }).ask()).rejects.toThrow('s3://b does not exist');
  });
});

describe('the line about who is away', () => {
  it('says who, for how long and why', () => {
    const now = Date.now();
    expect(awayLine([])).toBeNull();
    expect(
      awayLine(
        [
          { server: 'database', reason: 'refused', since: new Date(now - 125_000) },
          { server: 'store', reason: 'no answer', since: new Date(now - 3000) },
        ],
        now,
      ),
    ).toBe('waiting for the database for 2 min: refused; waiting for the object store for 3 s: no answer');
  });

  it.each([
    [-5, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_600_000, '1 h'],
    [3_720_000, '1 h 2 min'],
    [90_000_000, '1 d 1 h'],
  ])('writes %i ms as %s', (ms, text) => expect(ageText(ms)).toBe(text));
});

describe('a server that is asked once', () => {
  it('answers, refuses with its reason, or does not answer in time', async () => {
    const asked = (ask: () => Promise<unknown>) => faultOf({ ask, where: 'the store' }, 50);
    expect(await asked(() => Promise.resolve())).toBeNull();
    expect(await asked(away)).toBe('refused');
    expect(await asked(() => new Promise(() => undefined))).toBe('the store has not answered for 0 s');
  });
});
