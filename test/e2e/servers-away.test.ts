/** Processes with nothing to do while a server goes away and comes back: probes, metrics, log and `status` say so. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { resolveConnection } from '../../src/lib/systems/database/connection.ts';
import { startProxy } from '../faults/proxy.ts';
import { Rig, type Running } from '../support/binary.ts';
import { writeColorModel } from '../support/color-model.ts';
import { testDatabase } from '../support/database.ts';
import { Exposition } from '../support/exposition.ts';
import { until } from '../support/guest.ts';
import { itThorough } from '../support/thorough.ts';

const roles = {
  owner: ['consume', '--partition', '0'],
  standby: ['consume', '--partition', '0'],
  serve: ['serve', '--port', '0'],
  watch: ['watch', 'camera'],
  produce: ['produce', '--follow'],
};

/** Longer than promised, for a machine that does much else. */
const refusedMs = 5000;
const silentMs = 8000;

class Seen {
  said = '';
  readonly running: Running;
  #origin = '';

  constructor(running: Running) {
    this.running = running;
    running.process.stderr!.on('data', (chunk: string) => (this.said += chunk));
  }

  async started(): Promise<void> {
    await this.running.said(/metrics on http:\S+\n/);
    this.#origin = new URL(/metrics on (http:\S+)\n/.exec(this.said)![1]!).origin;
  }

  async ready(): Promise<{ status: number; body: string }> {
    const response = await fetch(`${this.#origin}/readyz`);
    return { status: response.status, body: await response.text() };
  }

  async waits(server: string): Promise<number | null> {
    const response = await fetch(`${this.#origin}/metrics`);
    return new Exposition(await response.text()).value('visionscale_waiting', { for: server });
  }
}

itThorough(
  'every role knows that a server is away, though it has nothing to do',
  async () => {
    await using database = await testDatabase();
    const { host, port, user, password, database: name } = resolveConnection(database.connection);
    const to = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
    let proxy = await startProxy('127.0.0.1', to);
    const url = (at: number) =>
      `postgres://${encodeURIComponent(user!)}:${encodeURIComponent(String(password))}@127.0.0.1:${at}/${name}`;
    await using rig = await Rig.open({ DATABASE_URL: url(proxy.port), VISIONSCALE_WORKERS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    mkdirSync(join(rig.dir, 'camera'));
    await rig.json(['init']);
    const all: Seen[] = [];
    const begin = async (args: string[]) => {
      const seen = new Seen(rig.start([...args, '--metrics-port', '0']));
      all.push(seen);
      await seen.started();
      await until(`${args.join(' ')} is ready`, async () => (await seen.ready()).status === 200);
      return seen;
    };
    const owner = await begin(roles.owner);
    const standby = await begin(roles.standby);
    for (const role of ['serve', 'watch', 'produce'] as const) await begin(roles[role]);
    const everybody = async (status: number, says: RegExp, withinMs: number) => {
      const began = performance.now();
      for (const one of all) {
        await until(`${one.running.process.spawnargs.slice(2).join(' ')}: ${status} ${says}`, async () => {
          const ready = await one.ready();
          return ready.status === status && says.test(ready.body);
        });
      }
      expect(performance.now() - began).toBeLessThan(withinMs);
    };

    // Nobody listens there any more.
    await proxy[Symbol.asyncDispose]();
    await everybody(503, /^waiting for the database for \d+ s: .*ECONNREFUSED/, refusedMs);
    for (const one of all) {
      expect([await one.waits('database'), await one.waits('topic'), await one.waits('store')]).toEqual([
        1, 0, 0,
      ]);
    }

    proxy = await startProxy('127.0.0.1', to, proxy.port);
    await everybody(200, /./, 30_000);
    for (const one of all) {
      expect(await one.waits('database')).toBe(0);
      expect(one.said.match(/"waiting for the database: [^"]*"/g)).toHaveLength(1);
      expect(one.said.match(/"the database is back after \d+ s"/g)).toHaveLength(1);
    }

    // It takes connections and says nothing.
    proxy.throttle.delayMs = 600_000;
    await everybody(503, /^waiting for the database for \d+ s: PostgreSQL at /, silentMs);
    proxy.throttle.delayMs = 0;
    await everybody(200, /./, 60_000);

    const store = join(rig.dir, 'data/images');
    renameSync(store, `${store}-away`);
    // Whoever of the two owns the partition now.
    for (const consumer of [owner, standby]) {
      await until('it waits for the store', async () =>
        /^waiting for the object store for \d+ s: .*does not exist/.test((await consumer.ready()).body),
      );
    }
    expect(await owner.waits('store')).toBe(1);
    await until('the other consumers see it', async () => {
      const { rows } = await database.pool.query<{ state: string; detail: string }>(
        'select state, detail from consumers',
      );
      return (
        rows.length === 2 && rows.every((row) => row.state === 'waiting' && /does not exist/.test(row.detail))
      );
    });
    renameSync(`${store}-away`, store);
    await everybody(200, /./, 30_000);

    for (const one of all) one.running.process.kill('SIGTERM');
    for (const one of all) expect((await one.running.ended).code, one.said).toBe(0);
    await proxy[Symbol.asyncDispose]();
  },
  240_000,
);
