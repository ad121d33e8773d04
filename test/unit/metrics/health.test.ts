/** Whether a consumer is alive and ready, as probes see it. */
import { describe, expect, it } from 'vitest';
import { DatabaseError } from '../../../src/lib/base/errors.ts';
import { consumerHealth, serversHealth } from '../../../src/lib/observe/metrics/server.ts';
import { noServers, ServerWatch } from '../../../src/lib/pipeline/server-watch.ts';

describe('the health of a consumer', () => {
  it('is ready while it consumes or stands by, and not while it waits, stalls or stops', () => {
    const stop = new AbortController();
    const { see, health } = consumerHealth(stop.signal, false, noServers);
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
    const { see, health } = consumerHealth(new AbortController().signal, true, noServers);
    expect(health().ready).toBe(true);
    see({ kind: 'waiting', partition: null, reason: 'the brokers are away' });
    expect(health().ready).toBe(false);
    see({ kind: 'owning', partition: 2, epoch: 1, from: 0, lag: 0 });
    see({ kind: 'released', partition: 2 });
    expect(health().ready).toBe(true);
  });

  it('is not ready while a server is away, idle or not, and says which and for how long', async () => {
    const servers = new ServerWatch();
    const { see, health } = consumerHealth(new AbortController().signal, false, servers);
    see({ kind: 'standing by', partition: 1, holder: 'somebody' });
    expect(health().ready).toBe(true);
    await goAway(servers);
    expect(health()).toMatchObject({ ready: false, alive: true });
    expect(health().detail).toMatch(
      /^waiting for the database for 0 s: refused; standing by for partition 1/,
    );
    see({ kind: 'waiting', partition: 1, reason: 'refused' });
    await servers.opening('database', () => Promise.resolve());
    // The step that waited need not say so itself.
    expect(health()).toMatchObject({ ready: true });
    expect(health().detail).toMatch(/^standing by for partition 1/);
  });

  it('of a standby is ready again when its claim is answered', () => {
    const { see, health } = consumerHealth(new AbortController().signal, false, noServers);
    see({ kind: 'standing by', partition: null, holder: 'somebody' });
    see({ kind: 'waiting', partition: 1, reason: 'refused' });
    expect(health().ready).toBe(false);
    see({ kind: 'going on', partition: 1 });
    expect(health().ready).toBe(true);
  });
});

describe('the health of another role', () => {
  it('is that of the servers it needs', async () => {
    const stop = new AbortController();
    const servers = new ServerWatch();
    const health = serversHealth(stop.signal, servers);
    expect(health()).toEqual({ alive: true, ready: true, detail: 'at work' });
    await goAway(servers);
    expect(health()).toEqual({
      alive: true,
      ready: false,
      detail: 'waiting for the database for 0 s: refused',
    });
    await servers.opening('database', () => Promise.resolve());
    stop.abort();
    expect(health()).toMatchObject({ ready: false, detail: 'stopping: at work' });
  });
});

async function goAway(servers: ServerWatch): Promise<void> {
  const refused = () => Promise.reject(new DatabaseError('refused', { code: 'x', retryable: true }));
  await servers.opening('database', refused).catch(() => undefined);
}
