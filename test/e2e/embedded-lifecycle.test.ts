/** The embedded PostgreSQL lives as long as somebody uses it, whatever is killed, and no longer. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import { findHolder } from '../../src/lib/systems/database/embedded/keeper/lock.ts';
import { processStart } from '../../src/lib/systems/database/embedded/processes.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { ensureBuilt } from '../support/build.ts';
import { keeperOf, postgresOf, startGuest, until, untilGone, watchdogOf } from '../support/guest.ts';
import type { Guest } from '../support/guest.ts';
import { itThorough, thorough } from '../support/thorough.ts';

/** On one data directory, so that it is initialised once; each test finds it stopped. */
describe('the embedded PostgreSQL', () => {
  let dataDir: string;
  let guests: Guest[] = [];
  const lingerMs = 300;
  const start = (linger = lingerMs) => {
    const guest = startGuest({ dataDir, lingerMs: linger });
    guests.push(guest);
    return guest;
  };
  const started = async () => {
    const guest = start();
    await guest.ready;
    return guest;
  };
  const servers = async () => [await keeperOf(dataDir), await postgresOf(dataDir)] as const;

  beforeAll(async () => {
    await ensureBuilt();
    dataDir = await mkdtemp(join(tmpdir(), 'visionscale-lifecycle-'));
  });
  afterEach(async () => {
    await Promise.all(guests.map((guest) => guest.leave()));
    guests = [];
    expect(await stopped(dataDir, 30_000)).toBe(true);
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  itThorough('recovers when its user, or everything, is killed during the first start', async () => {
    const { root } = filesIn(dataDir);
    const drafts = async () =>
      (await readdir(root).catch(() => [])).filter((name) => name.startsWith('new-'));
    const first = start(1); // or a fast initdb ends within the linger
    await until('initdb', async () => (await drafts()).length > 0);
    const abandoned = await keeperOf(dataDir);
    await first.kill('SIGKILL');
    await untilGone(abandoned);
    expect(await drafts()).toEqual([]);

    const second = start();
    await until('initdb', async () => (await drafts()).length > 0);
    process.kill(await keeperOf(dataDir), 'SIGKILL');
    await second.kill('SIGKILL');

    const next = await started();
    expect(await next.query('SELECT current_database() AS name')).toEqual([{ name: 'my_db' }]);
    expect(await drafts()).toEqual([]);
  });

  itThorough('is started once by four processes at the same instant', async () => {
    const four = [start(), start(), start(), start()];
    const connections = await Promise.all(four.map(({ ready }) => ready));
    expect(new Set(connections.map(({ host, port }) => `${host}:${port}`)).size).toBe(1);
    const locks = (await readdir(filesIn(dataDir).root)).filter((name) => /^keeper\.\d+\.json$/.test(name));
    expect(locks).toHaveLength(1);
  });

  itThorough('stays for the second process when the first, which started it, is killed', async () => {
    const first = await started();
    const second = await started();
    const [keeper, postgres] = await servers();
    await first.kill('SIGKILL');
    expect(await second.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await second.leave();
    await untilGone(keeper, postgres);
  });

  it('keeps its data, its place and its password over a restart', async () => {
    const first = await started();
    await first.query('CREATE TABLE kept AS SELECT 42 AS answer');
    const connection = await first.ready;
    await first.leave();
    expect(await stopped(dataDir, 30_000)).toBe(true);

    const second = await started();
    expect(await second.query('SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(await second.ready).toEqual(connection);
  });

  it.each(thorough ? (['SIGINT', 'SIGTERM', 'SIGKILL'] as const) : (['SIGKILL'] as const))(
    'ends when all its users get %s at once',
    async (signal) => {
      const all = [await started(), await started(), await started()];
      const pids = await servers();
      await Promise.all(all.map((guest) => guest.kill(signal)));
      expect(await untilGone(...pids)).toBeLessThan(10_000);
    },
  );

  itThorough('ends when its users and its keeper are killed together', async () => {
    const all = [await started(), await started()];
    const [keeper, postgres] = await servers();
    process.kill(keeper, 'SIGKILL');
    await Promise.all(all.map((guest) => guest.kill('SIGKILL')));
    expect(await untilGone(keeper, postgres)).toBeLessThan(10_000);
  });

  itThorough('comes back for an open pool when keeper or server is killed', async () => {
    await using database = await openDatabase({ kind: 'embedded', dataDir });
    const works = () =>
      database.pool.query('SELECT 1').then(
        () => true,
        () => false,
      );
    const [keeper, postgres] = await servers();
    process.kill(postgres, 'SIGKILL');
    await untilGone(postgres);
    await until('a second server', works);
    expect(await keeperOf(dataDir)).toBe(keeper);

    process.kill(keeper, 'SIGKILL');
    await until('a second keeper', async () => (await keeperOf(dataDir)) !== keeper);
    await until('a third server', works);
  });

  it.runIf(process.platform === 'linux')('replaces a server that was left behind', async () => {
    const guest = await started();
    const [keeper, postgres] = await servers();
    process.kill(await watchdogOf(postgres), 'SIGKILL');
    process.kill(keeper, 'SIGKILL');
    await guest.kill('SIGKILL');
    await untilGone(keeper);
    expect(await processStart(postgres)).not.toBeNull();

    const next = await started();
    expect(await processStart(postgres)).toBeNull();
    expect(await next.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  itThorough('is not stopped by the lock of a socket that names a living process', async () => {
    // PostgreSQL believes it of a process that its own user may send a signal to.
    const { uid, gid } = await stat(filesIn(dataDir).data);
    const other = spawn('sleep', ['600'], process.getuid?.() === 0 ? { uid, gid } : {});
    try {
      const { socket } = filesIn(dataDir);
      await mkdir(socket, { mode: 0o700 });
      await writeFile(join(socket, '.s.PGSQL.5432.lock'), `${other.pid}\n`);
      const guest = await started();
      expect(await guest.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      other.kill();
    }
  });

  it('is not confused by a stale postmaster.pid that names a living process', async () => {
    await writeFile(join(filesIn(dataDir).data, 'postmaster.pid'), `${process.pid}\n${dataDir}\n`);
    const guest = await started();
    expect(await guest.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  itThorough('takes another port where it listens on TCP and its own is taken', async () => {
    const startTcp = async () => {
      const guest = startGuest({ dataDir, lingerMs, internal: { listen: 'tcp' } });
      guests.push(guest);
      await guest.ready;
      return guest;
    };
    const first = await startTcp();
    const { host, port } = await first.ready;
    expect(host).toBe('127.0.0.1');
    await first.leave();
    expect(await stopped(dataDir, 30_000)).toBe(true);
    const { createServer } = await import('node:net');
    const other = createServer().listen(port, '127.0.0.1');
    const second = await startTcp();
    expect((await second.ready).port).not.toBe(port);
    await new Promise((resolve) => other.close(resolve));
  });

  itThorough('lets a command in that comes while it is about to stop', async () => {
    for (let round = 0; round < 3; round++) {
      const guest = await started();
      const leaving = guest.leave();
      const waitMs = lingerMs - 150 + round * 150; // before, at and after the end of the linger
      await Promise.all([leaving, new Promise((resolve) => setTimeout(resolve, waitMs))]);
      const next = await started();
      expect(await next.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    }
  });

  itThorough('tells its guests to come back when the keeper is told to stop at once', async () => {
    const guest = await started();
    const [keeper] = await servers();
    process.kill(keeper, 'SIGTERM');
    await until('the first signal', async () => (await guest.query('SELECT 1 AS one')) !== null);
    process.kill(keeper, 'SIGTERM');
    await untilGone(keeper);
    await until('another keeper', async () => {
      const holder = await findHolder(filesIn(dataDir).root);
      return holder !== null && holder.pid !== keeper && !holder.released;
    });
  });

  it('is refused to another container, as long as the first gives signs of life', async () => {
    const holder = await findHolder(filesIn(dataDir).root);
    const lock = join(filesIn(dataDir).root, `keeper.${(holder?.generation ?? 0) + 1}.json`);
    await writeFile(lock, JSON.stringify({ ...holder, at: 1, space: 'elsewhere', released: false }));
    await expect(startGuest({ dataDir, startTimeoutMs: 300 }).ready).rejects.toMatchObject({
      code: 'data_dir_in_use',
    });
    await utimes(lock, new Date(), new Date(Date.now() - 60_000));
    await started();
  });
});
