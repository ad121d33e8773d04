/** The embedded PostgreSQL in every place and under every account it may find itself in. */
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { filesIn } from '../../src/lib/systems/database/embedded/files.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import type { EmbeddedOptions } from '../../src/lib/systems/database/embedded/keeper/use.ts';
import { commandLine, processStart } from '../../src/lib/systems/database/embedded/processes.ts';
import { findProgram } from '../../src/lib/systems/database/embedded/program.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { ensureBuilt } from '../support/build.ts';
import { keeperOf, postgresOf, startGuest, until } from '../support/guest.ts';
import type { Guest } from '../support/guest.ts';
import { describeThorough, itThorough, thorough, thoroughTitle } from '../support/thorough.ts';

const hasSockets = process.platform !== 'win32';
const nobody = { uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;
const asRoot = (title: string) => (isRoot ? title : `${title} [skipped: needs root]`);

let temporary: string;
beforeAll(async () => {
  await ensureBuilt();
  temporary = await mkdtemp(join(tmpdir(), 'visionscale-places-'));
});
afterAll(() => rm(temporary, { recursive: true, force: true }));

/** Starts, asks, stops and starts again; returns who the server's process and its data belonged to. */
async function works(options: EmbeddedOptions, as?: typeof nobody) {
  const { dataDir } = options;
  const first = startGuest({ ...options, lingerMs: 0 }, as);
  const hosts = [(await first.ready).host];
  if (hasSockets) {
    const { mode, uid } = await stat(hosts[0]!);
    expect(mode & 0o777).toBe(0o700);
    expect(uid).toBe((await stat(filesIn(dataDir).data)).uid);
  }
  await first.query(`CREATE TABLE place AS SELECT 'here' AS name`);
  const { uid: dataOwner } = await stat(filesIn(dataDir).data);
  const server = await postgresOf(dataDir);
  const status = await readFile(`/proc/${server}/status`, 'utf8').catch(() => '');
  const command = await commandLine(server);
  await first.leave();
  expect(await stopped(dataDir, 30_000)).toBe(true);
  expect(await processStart(server)).toBeNull();

  const second = startGuest({ ...options, lingerMs: 0 }, as);
  hosts.push((await second.ready).host);
  expect(await second.query('SELECT name FROM place')).toEqual([{ name: 'here' }]);
  await second.leave();
  expect(await stopped(dataDir, 30_000)).toBe(true);
  return { dataOwner, command, hosts, processOwner: Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? -1) };
}

/** As libpq takes it. */
async function urlOf(guest: Guest): Promise<string> {
  const { host, port, user, password, database } = await guest.ready;
  return `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

/** The TCP ports that a process listens on. Linux only. */
async function tcpPortsOf(pid: number): Promise<number[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const open = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables
    .flatMap((table) => table.trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && open.includes(`socket:[${inode}]`))
    .map(([, local]) => parseInt(local!.split(':')[1]!, 16));
}

/** A copy of the installed package, as it is without its install script. */
async function packageWithoutLinks(directory: string, version?: string): Promise<string> {
  const { directory: native } = await findProgram();
  await cp(join(native, '..'), directory, { recursive: true, verbatimSymlinks: true });
  const lib = join(directory, 'native/lib');
  for (const name of await readdir(lib)) {
    if ((await lstat(join(lib, name))).isSymbolicLink()) await rm(join(lib, name));
  }
  if (version !== undefined) await writeFile(join(directory, 'package.json'), JSON.stringify({ version }));
  return directory;
}

describe('a data directory', () => {
  it('may have spaces, quotes and other letters in its path, and be private', async () => {
    const dataDir = join(temporary, `my “data” it's $HOME ümläut 数据`, 'deep er');
    await works({ dataDir });
    const files = filesIn(dataDir);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect((await stat(files.password)).mode & 0o777).toBe(0o600);
    const log = await readFile(files.log, 'utf8');
    expect(log).not.toContain(await readFile(files.password, 'utf8'));
  });

  itThorough('is worked on by a role that owns its database and is no superuser', async () => {
    const guest = startGuest({ dataDir: join(temporary, 'plain role'), lingerMs: 0 });
    const asked = `select current_user::text as me, rolsuper as super, pg_get_userbyid(datdba)::text as owner,
      array(select rolname::text from pg_roles where rolsuper) as supers
      from pg_roles, pg_database where rolname = current_user and datname = current_database()`;
    // A line is a question.
    expect(await guest.query(asked.replaceAll('\n', ' '))).toEqual([
      { me: 'visionscale', super: false, owner: 'visionscale', supers: ['postgres'] },
    ]);
    expect(await guest.query(`copy (select 1) to program 'true'`)).toMatchObject({
      error: { code: '42501' },
    });
    await guest.leave();
    expect(await stopped(join(temporary, 'plain role'), 30_000)).toBe(true);
  });

  it.runIf(hasSockets)(
    'is reached through a socket in a directory of its own, and through no port',
    async () => {
      const dataDir = join(temporary, 'no port');
      const guest = startGuest({ dataDir, lingerMs: 0 });
      const { host, port } = await guest.ready;
      expect(host).toBe(filesIn(dataDir).socket);
      const server = await postgresOf(dataDir);
      expect((await stat(host)).mode & 0o777).toBe(0o700);
      const socket = await stat(join(host, `.s.PGSQL.${port}`));
      expect(socket.isSocket()).toBe(true);
      expect(socket.mode & 0o777).toBe(0o700);
      expect(await guest.query('SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
      await using database = await openDatabase(loadConfig({ DATABASE_URL: await urlOf(guest) }).database);
      expect(database).toMatchObject({ kind: 'server', describe: `${host}:${port}/my_db` });
      if (process.platform === 'linux') {
        expect(await tcpPortsOf(server)).toEqual([]);
        expect(await tcpPortsOf(await keeperOf(dataDir))).toEqual([]);
      }
      await database[Symbol.asyncDispose]();
      await guest.leave();
      expect(await stopped(dataDir, 30_000)).toBe(true);
      await expect(stat(host)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  itThorough('may have a path longer than a unix socket’s', async () => {
    const dataDir = join(temporary, ...Array.from({ length: 6 }, (_, i) => `${i}`.repeat(60)));
    expect(dataDir.length).toBeGreaterThan(350);
    const { hosts } = await works({ dataDir });
    if (!hasSockets) return;
    expect(hosts.every((host) => host.startsWith('/tmp/visionscale-db-'))).toBe(true);
    for (const host of hosts) await expect(stat(host)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.runIf(hasSockets && thorough)(
    thoroughTitle('keeps the place of its socket, private, when its server or keeper is killed'),
    async () => {
      const dataDir = join(temporary, 'x'.repeat(120), 'killed');
      await using database = await openDatabase({ kind: 'embedded', dataDir });
      const works = () => database.pool.query('SELECT 1').then(Boolean, () => false);
      const host = (await readFile(filesIn(dataDir).socketElsewhere, 'utf8')).trim();
      const guest = startGuest({ dataDir, lingerMs: 0 });
      expect((await guest.ready).host).toBe(host);
      const server = await postgresOf(dataDir);
      process.kill(server, 'SIGKILL');
      await until('another server', async () => (await postgresOf(dataDir).catch(() => server)) !== server);
      await until('an answer', works);
      process.kill(await keeperOf(dataDir), 'SIGKILL');
      const next = await postgresOf(dataDir);
      await until('a third server', async () => (await postgresOf(dataDir).catch(() => next)) !== next);
      await until('an answer', works);
      const { mode, uid } = await stat(host);
      expect(mode & 0o777).toBe(0o700);
      expect(uid).toBe((await stat(filesIn(dataDir).data)).uid);
      await guest.leave();
      await database[Symbol.asyncDispose]();
      expect(await stopped(dataDir, 30_000)).toBe(true);
      await expect(stat(host)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  itThorough('is one of several, each with its own server', async () => {
    const [a, b] = [join(temporary, 'a'), join(temporary, 'b')];
    const guests = [startGuest({ dataDir: a, lingerMs: 0 }), startGuest({ dataDir: b, lingerMs: 0 })];
    const places = await Promise.all(
      guests.map(async ({ ready }) => `${(await ready).host}:${(await ready).port}`),
    );
    expect(places[0]).not.toBe(places[1]);
    await Promise.all(guests.map((guest, i) => guest.query(`CREATE TABLE mine AS SELECT ${i} AS number`)));
    for (const [i, guest] of guests.entries()) {
      expect(await guest.query('SELECT number FROM mine')).toEqual([{ number: i }]);
    }
    await Promise.all(guests.map((guest) => guest.leave()));
    expect(await Promise.all([stopped(a, 30_000), stopped(b, 30_000)])).toEqual([true, true]);
  });

  it('is refused where it was made by another version, is no directory, or is damaged', async () => {
    const attempt = (dataDir: string) => startGuest({ dataDir, lingerMs: 0 }).ready;
    const old = join(temporary, 'old');
    await mkdir(join(old, 'postgres/data'), { recursive: true });
    await writeFile(join(old, 'postgres/data/PG_VERSION'), '15\n');
    await expect(attempt(old)).rejects.toMatchObject({ code: 'data_dir_version' });
    expect(await stopped(old, 30_000)).toBe(true);

    const damaged = join(temporary, 'damaged');
    await mkdir(join(damaged, 'postgres/data/base'), { recursive: true });
    await expect(attempt(damaged)).rejects.toMatchObject({ code: 'data_dir_damaged' });
    expect(await stopped(damaged, 30_000)).toBe(true);

    const file = join(temporary, 'file');
    await writeFile(file, '');
    await expect(attempt(file)).rejects.toMatchObject({ code: 'data_dir_unusable' });
  });
});

describe.runIf(process.platform === 'linux')('a disk', () => {
  const mounts: string[] = [];
  const mount = async (name: string, options: string) => {
    const at = join(temporary, name);
    await mkdir(at);
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at]);
    mounts.push(at);
    return at;
  };
  afterAll(() => mounts.forEach((at) => execFileSync('umount', [at])));

  it.runIf(isRoot)(asRoot('that is full or read-only is named as the reason'), async () => {
    const full = await mount('full', 'size=10m');
    const attempt = (dataDir: string) => startGuest({ dataDir, lingerMs: 0 }).ready;
    await expect(attempt(full)).rejects.toMatchObject({
      code: 'data_dir_unusable',
      message: expect.stringContaining('the disk is full') as string,
    });
    expect(await stopped(full, 30_000)).toBe(true);

    const readOnly = await mount('read-only', 'ro');
    await expect(attempt(readOnly)).rejects.toMatchObject({
      code: 'data_dir_unusable',
      message: expect.stringContaining('read-only') as string,
    });
  });
});

(isRoot ? describeThorough : describe.skip)(asRoot('root'), () => {
  it('runs it in a user namespace: the files stay root’s', async () => {
    const dataDir = await mkdtemp(join(temporary, 'namespace-'));
    expect(await works({ dataDir })).toMatchObject({ dataOwner: 0, processOwner: 0 });
  });

  it('runs it as another user where that one can come to the data', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-open-'));
    try {
      expect(await works({ dataDir })).toMatchObject({ dataOwner: nobody.uid, processOwner: nobody.uid });
      // What lies beside it stays out of reach of whoever is in no group of its.
      expect((await stat(dataDir)).mode & 0o777).toBe(0o710);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it('else runs it as nobody, in a directory that others still cannot list', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-switched-'));
    try {
      const owners = { dataOwner: nobody.uid, processOwner: nobody.uid };
      expect(await works({ dataDir, internal: { account: 'switched' } })).toMatchObject(owners);
      expect((await stat(dataDir)).mode & 0o777).toBe(0o710);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it('can change from the first way to the second', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-change-'));
    try {
      await works({ dataDir });
      const guest = startGuest({ dataDir, lingerMs: 0, internal: { account: 'switched' } });
      expect(await guest.query('SELECT name FROM place')).toEqual([{ name: 'here' }]);
      await guest.leave();
      expect(await stopped(dataDir, 30_000)).toBe(true);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it('says which directory nobody can enter, and where to put the data', async () => {
    const guest = startGuest({
      dataDir: join(temporary, 'unreachable'), // temporary itself is root's alone
      lingerMs: 0,
      internal: { account: 'switched' },
    });
    await expect(guest.ready).rejects.toMatchObject({
      code: 'data_dir_unreachable',
      message: expect.stringContaining(temporary) as string,
      hint: expect.stringContaining('--data-dir /var/lib/visionscale') as string,
    });
    expect(await stopped(join(temporary, 'unreachable'), 30_000)).toBe(true);
  });

  it('copies binaries that nobody can reach, and trusts only its own copy', async () => {
    const version = `18.0.0-test.${process.pid}`;
    const packageDirectory = await packageWithoutLinks(join(temporary, 'hidden package'), version);
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-hidden-'));
    const copy = `/var/tmp/visionscale-postgres-${version}-0`;
    const options: EmbeddedOptions = { dataDir, internal: { account: 'switched', packageDirectory } };
    try {
      expect((await works(options)).command).toContain(`${copy}/bin/postgres`);
      await chmod(copy, 0o777);
      await expect(startGuest({ ...options, lingerMs: 0 }).ready).rejects.toMatchObject({
        code: 'program_copy_untrusted',
      });
      expect(await stopped(dataDir, 30_000)).toBe(true);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
      await rm(copy, { recursive: true, force: true });
    }
  });

  it('leaves an ordinary user’s data theirs, even one who has an id but no name', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-theirs-'));
    const user = { uid: 4711, gid: 4711 };
    await chown(dataDir, user.uid, user.gid);
    try {
      expect(await works({ dataDir })).toMatchObject({ dataOwner: user.uid, processOwner: user.uid });
      // Also while it is root's keeper that runs.
      const roots = startGuest({ dataDir, lingerMs: 0 });
      await roots.ready;
      const keeper = await keeperOf(dataDir);
      const guest = startGuest({ dataDir, lingerMs: 0 }, user);
      expect(await guest.query('SELECT name FROM place')).toEqual([{ name: 'here' }]);
      expect(await keeperOf(dataDir)).toBe(keeper);
      await roots.leave();
      await guest.leave();
      expect(await stopped(dataDir, 30_000)).toBe(true);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

describeThorough('an ordinary user', () => {
  const user = isRoot ? nobody : undefined;

  it('runs it as themselves', async () => {
    const home = await mkdtemp(join(tmpdir(), 'visionscale-home-'));
    if (user) await chown(home, user.uid, user.gid);
    try {
      const me = user?.uid ?? process.getuid?.() ?? -1;
      expect(await works({ dataDir: join(home, '.visionscale') }, user)).toMatchObject({
        dataOwner: me,
        processOwner: me,
      });
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it.runIf(isRoot)(asRoot('is told when the data belongs to another'), async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'visionscale-other-'));
    try {
      const refused = { code: 'data_dir_unusable' };
      await expect(startGuest({ dataDir }, nobody).ready).rejects.toMatchObject(refused);
      await chmod(dataDir, 0o755);
      await mkdir(join(dataDir, 'postgres'), { mode: 0o700 });
      await expect(startGuest({ dataDir }, nobody).ready).rejects.toMatchObject(refused);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it.runIf(isRoot)(
    asRoot('links libraries in a copy where the package is not theirs to change'),
    async () => {
      const home = await mkdtemp(join(tmpdir(), 'visionscale-copy-'));
      await chmod(home, 0o755);
      const packageDirectory = await packageWithoutLinks(join(home, 'package'));
      const dataDir = join(home, 'data');
      await mkdir(dataDir, { mode: 0o700 });
      await chown(dataDir, nobody.uid, nobody.gid);
      try {
        const { command } = await works({ dataDir, internal: { packageDirectory } }, nobody);
        expect(command).toContain(join(dataDir, 'postgres/program-'));
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    },
  );
});

describe('the package', () => {
  itThorough('gets the library links that its install script would have made', async () => {
    const packageDirectory = await packageWithoutLinks(join(temporary, 'without scripts'));
    await works({ dataDir: join(temporary, 'scripts'), internal: { packageDirectory } });
    const lib = join(packageDirectory, 'native/lib');
    expect((await lstat(join(lib, 'libpq.so.5'))).isSymbolicLink()).toBe(true);
    expect((await stat(join(lib, 'libpq.so.5'))).isFile()).toBe(true);
  });
});
