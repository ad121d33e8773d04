/** A child that lives and is not heard is ended; one of which nothing is known is not. */
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { endSilent, looks, type SilenceOptions } from '../../../src/lib/local/up/silence.ts';

type Heard = Awaited<ReturnType<SilenceOptions['heard']>>;

const row = (pid: number, live: boolean, host = hostname(), start = 'abc') => ({
  owner: `${host}:${pid}:${start}`,
  hostname: host,
  live,
});

/** Which children are killed, and at which look, where each look hears `heard`; ends after the last one. */
async function killed(heard: readonly (Heard | Error)[]) {
  const stop = new AbortController();
  const kills: string[] = [];
  let look = 0;
  const child = (name: string, pid: number) => ({
    name,
    pid,
    kill: (why: string) => void kills.push(`${look}: ${name} ${why}`),
  });
  const children = [child('consumer 0', 10), child('consumer 1', 11), child('serve', 12)];
  await endSilent({
    children: () => children,
    heard() {
      const found = heard[look++]!;
      // After the last one there is nothing more to see.
      if (look === heard.length) setImmediate(() => stop.abort());
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    },
    signal: stop.signal,
    everyMs: 0,
  });
  return kills;
}

const all: Heard = { consumers: [row(10, true), row(11, true)], server: true };
const hangs: Heard = { consumers: [row(10, true), row(11, false)], server: true };
const times = (n: number, heard: Heard | Error) => new Array<Heard | Error>(n).fill(heard);

describe('endSilent', () => {
  it('kills who is silent for all looks in a row, once, and says which process', async () => {
    const why = `(process 11) did not answer for ${looks} s and was killed`;
    expect(await killed([all, ...times(looks + 5, hangs), all])).toEqual([`${looks + 1}: consumer 1 ${why}`]);
  });

  it('begins anew when it was heard, and when nobody could be', async () => {
    const few = times(looks - 1, hangs);
    expect(await killed([all, ...few, all, ...few, new Error('away'), ...few, all])).toEqual([]);
  });

  it('kills a server that does not answer, but not one that has not answered yet', async () => {
    const mute: Heard = { ...all, server: false };
    expect(await killed([...times(2 * looks, mute), all])).toEqual([]);
    expect(await killed([all, ...times(looks, mute), all])).toEqual([
      `${looks + 1}: serve (process 12) did not answer for ${looks} s and was killed`,
    ]);
  });

  it('is not deceived by the row of an earlier process with the same number', async () => {
    const earlier = row(11, false, hostname(), 'earlier');
    const before = { ...all, consumers: [earlier, ...all.consumers] };
    const after = { ...hangs, consumers: [earlier, ...hangs.consumers] };
    expect(await killed([...times(2 * looks, before), ...times(looks, after), all])).toEqual([
      `${3 * looks}: consumer 1 (process 11) did not answer for ${looks} s and was killed`,
    ]);
  });

  it('ends at the signal, also while nobody answers what was heard', async () => {
    const stop = new AbortController();
    const heard = () => {
      setImmediate(() => stop.abort());
      return new Promise<never>(() => undefined);
    };
    await endSilent({ children: () => [], heard, signal: stop.signal, everyMs: 0 });
  });

  it('takes no other host’s process, and none of an earlier start, for its own', async () => {
    const others: Heard = {
      consumers: [row(10, true), row(11, true), row(11, false, 'elsewhere'), row(9, false)],
      server: undefined,
    };
    expect(await killed(times(2 * looks, others))).toEqual([]);
  });
});
