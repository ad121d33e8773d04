/** Whether a consumer is alive and ready, as probes see it. */
import { describe, expect, it } from 'vitest';
import { consumerHealth } from '../../../src/lib/observe/metrics/server.ts';

describe('the health of a consumer', () => {
  it('is ready while it consumes or stands by, and not while it waits, stalls or stops', () => {
    const stop = new AbortController();
    const { see, health } = consumerHealth(stop.signal, false);
    const ready = () => health().ready;
    expect(ready()).toBe(false);
    see({ kind: 'waiting', partition: null, reason: 'the database is away' });
    expect(health()).toMatchObject({ ready: false, alive: true });
    expect(health().detail).toContain('the database is away');
    see({ kind: 'standing by', partition: null, holder: 'somebody' });
    expect(ready()).toBe(true);
    see({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 0 });
    expect(ready()).toBe(true);
    see({ kind: 'waiting', partition: 0, reason: 'the store is away' });
    expect(ready()).toBe(false);
    see({ kind: 'going on', partition: 0 });
    expect(ready()).toBe(true);
    see({ kind: 'stalled', partition: 0, reason: 'nobody knows' });
    expect(health()).toMatchObject({ ready: false, alive: false });
    see({ kind: 'stalled', partition: 0, reason: null });
    expect(health()).toMatchObject({ ready: true, alive: true });
    stop.abort();
    expect(health()).toMatchObject({ ready: false, alive: true });
    expect(health().detail).toMatch(/^stopping/);
  });

  it('is ready without a partition where it is the member of a group', () => {
    const { see, health } = consumerHealth(new AbortController().signal, true);
    expect(health().ready).toBe(true);
    see({ kind: 'waiting', partition: null, reason: 'the brokers are away' });
    expect(health().ready).toBe(false);
    see({ kind: 'owning', partition: 2, epoch: 1, from: 0, lag: 0 });
    see({ kind: 'released', partition: 2 });
    expect(health().ready).toBe(true);
  });
});
