/** Which models stay open: as many as fit, the least recently used closed first, and none while somebody has it. */
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import { fakeClassifiers, settled, wanted } from '../../support/fake-classifiers.ts';

const forever = new AbortController().signal;

describe('HeldModels', () => {
  it('opens a model once for all who want it, and keeps it open', async () => {
    const { held, seen } = fakeClassifiers(2);
    const [one, two] = await Promise.all([held.lend(wanted('a')), held.lend(wanted('a'))]);
    expect(one.classifier).toBe(two.classifier);
    for (const lent of [one, two]) lent[Symbol.dispose]();
    using again = await held.lend(wanted('a'));
    expect(again.classifier).toBe(one.classifier);
    expect(seen).toEqual(['+a']);
  });

  it('closes the least recently used for one that does not fit, and never the one that is kept', async () => {
    const { held, seen } = fakeClassifiers(2);
    const use = async (digest: string, keep = false) =>
      (await held.lend(wanted(digest), { keep }))[Symbol.dispose]();
    await use('pipeline', true);
    await use('a');
    await use('b');
    await use('a');
    expect(held.fits(wanted('c'))).toBe(false);
    await use('c');
    expect(seen).toEqual(['+pipeline', '+a', '+b', '-b', '+c']);
    await use('b');
    expect(seen.slice(5)).toEqual(['-a', '+b']);
    expect(['pipeline', 'a', 'b', 'c'].map((digest) => held.isOpen(digest))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('lets whoever has a model finish before it is closed, and opens the next one behind that', async () => {
    const { held, seen } = fakeClassifiers(1);
    const lent = await held.lend(wanted('a'));
    const next = held.lend(wanted('b'));
    await settled();
    expect(seen).toEqual(['+a']);
    lent[Symbol.dispose]();
    lent[Symbol.dispose](); // given back once, however often it is said
    using _ = await next;
    expect(seen).toEqual(['+a', '-a', '+b']);
  });

  it('never has more open than fit, however many are wanted at once', async () => {
    const { held, seen } = fakeClassifiers(2);
    const digests = [...'abcdef'];
    await Promise.all(
      digests.map(async (digest) => {
        using _ = await held.lend(wanted(digest));
        await settled();
      }),
    );
    let [open, most] = [0, 0];
    for (const event of seen) most = Math.max(most, (open += event.startsWith('+') ? 1 : -1));
    expect(most).toBe(2);
    expect(seen.filter((event) => event.startsWith('+'))).toHaveLength(6);
  });

  it('opens one that is larger than all the memory, alone', async () => {
    const { held, seen } = fakeClassifiers(1);
    (await held.lend(wanted('a')))[Symbol.dispose]();
    using _ = await held.lend({ digest: 'large', bytes: 2 ** 30 });
    expect(seen).toEqual(['+a', '-a', '+large']);
  });

  it('gives further processes to a model only while there is memory; the one that is kept has as many as it likes', async () => {
    const { held, mayGrow } = fakeClassifiers(3);
    using _a = await held.lend(wanted('kept'), { keep: true });
    using _b = await held.lend(wanted('a'));
    expect([1, 2, 3].map(() => mayGrow.get('a')!())).toEqual([true, true, false]);
    expect([1, 2, 3].map(() => mayGrow.get('kept')!())).toEqual([true, true, true]);
    expect(held.fits(wanted('b'))).toBe(false);
  });

  it('tells why a model cannot be opened, and tries again only after a while', async () => {
    const { held, opening, clock, seen } = fakeClassifiers(1);
    let tries = 0;
    opening.set('a', () => Promise.reject(new Error(`damaged ${++tries}`)));
    const refused = () => held.lend(wanted('a')).catch((error: Error) => error.message);
    expect([await refused(), await refused()]).toEqual(['damaged 1', 'damaged 1']);
    expect(held.failureOf('a')).toEqual({ reason: 'damaged 1', triesAgain: false });
    clock.now = 15_000;
    expect(await refused()).toBe('damaged 2');
    opening.set('a', () =>
      Promise.reject(new VisionscaleError('away', { code: 'unavailable', retryable: true })),
    );
    clock.now = 30_000;
    expect(await refused()).toBe('away');
    opening.delete('a');
    clock.now = 32_000;
    using _ = await held.lend(wanted('a'));
    expect([held.failureOf('a'), seen]).toEqual([null, ['+a']]);
  });

  it('closes what nobody wants any more, and everything at its end', async () => {
    const { held, seen, opening } = fakeClassifiers(9);
    for (const digest of ['kept', 'a', 'b'])
      (await held.lend(wanted(digest), { keep: digest === 'kept' }))[Symbol.dispose]();
    held.only(new Set(['b']));
    await settled();
    expect(seen.slice(3)).toEqual(['-a']);
    let open: () => void = () => undefined;
    opening.set('late', () => new Promise((resolve) => (open = resolve)));
    const late = held.lend(wanted('late'), { signal: forever });
    await settled();
    const ended = held[Symbol.asyncDispose]();
    open();
    await Promise.all([ended, late]);
    expect(new Set(seen.slice(4))).toEqual(new Set(['-kept', '-b', '+late', '-late']));
    await expect(held.lend(wanted('c'))).rejects.toMatchObject({ code: 'classifier_closed' });
  });

  it('lets go who is told not to wait any longer', async () => {
    const { held, opening, seen } = fakeClassifiers(1);
    let open: () => void = () => undefined;
    opening.set('a', () => new Promise((resolve) => (open = resolve)));
    const stop = new AbortController();
    const waiting = held.lend(wanted('a'), { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    open();
    using _ = await held.lend(wanted('b'));
    expect(seen).toEqual(['+a', '-a', '+b']);
  });
});
