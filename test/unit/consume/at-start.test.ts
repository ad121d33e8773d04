/** What a consumer waits for when it starts: what is away, and what is denied, unless it was told to drain. */
import { describe, expect, it } from 'vitest';
import { ObjectError } from '../../../src/lib/base/errors.ts';
import { atStart } from '../../../src/lib/pipeline/consume/consume.ts';
import type { ConsumeEvent } from '../../../src/lib/pipeline/consume/options.ts';

const denied = new ObjectError('access denied', { code: 'access_denied', hint: 'Check the key.' });

async function start(untilDrained: boolean, fault: Error) {
  const events: ConsumeEvent[] = [];
  let tried = 0;
  const patiently = atStart({ signal: new AbortController().signal, untilDrained }, (e) => events.push(e));
  const result = await patiently(() =>
    ++tried < 3 ? Promise.reject(fault) : Promise.resolve('there'),
  ).catch((error: unknown) => error);
  return { result, events };
}

describe('a consumer that starts', () => {
  it('waits for what the store denies, tells it once, and that it is over', async () => {
    expect(await start(false, denied)).toEqual({
      result: 'there',
      events: [
        { kind: 'waiting', partition: null, reason: 'access denied (Check the key.)' },
        { kind: 'going on', partition: null },
      ],
    });
  });

  it('ends for it where it was told to drain, and for what no waiting mends', async () => {
    expect(await start(true, denied)).toEqual({ result: denied, events: [] });
    const missing = new ObjectError('no bucket', { code: 'bucket_missing' });
    expect(await start(false, missing)).toEqual({ result: missing, events: [] });
  });
});
