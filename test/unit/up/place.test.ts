/** One `up` a data directory, whatever was killed before. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDemo, findUp, takeDemoPlace, takePlace, type UpState } from '../../../src/lib/local/up/place.ts';

describe('the place of `up`', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'visionscale-up-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const state: UpState = {
    pid: process.pid,
    since: '2026-11-22T10:00:00.000Z',
    env: { VISIONSCALE_DATA_DIR: '/d' },
    secrets: [],
    server: 'http://127.0.0.1:8080',
  };

  it('is one’s, tells of it when it is up, and is free afterwards', async () => {
    expect(await findUp(dataDir)).toBeNull();
    const place = (await takePlace(dataDir))!;
    expect(await takePlace(dataDir)).toBeNull();
    expect(await findUp(dataDir)).toEqual({ pid: process.pid, elsewhere: false, state: null });
    await place.tell(state);
    expect(await findUp(dataDir)).toEqual({ pid: process.pid, elsewhere: false, state });
    expect((await stat(join(dataDir, 'up/state.json'))).mode & 0o777).toBe(0o600);
    await place[Symbol.asyncDispose]();
    expect(await findUp(dataDir)).toBeNull();
    expect((await readdir(join(dataDir, 'up'))).filter((name) => name.startsWith('state'))).toEqual([]);
  });

  it('is another than that of a demo, of which there is one too', async () => {
    expect(await findDemo(dataDir)).toBeNull();
    const demo = (await takeDemoPlace(dataDir))!;
    expect(await takeDemoPlace(dataDir)).toBeNull();
    expect([await findDemo(dataDir), await findUp(dataDir)]).toEqual([process.pid, null]);
    await demo[Symbol.asyncDispose]();
    expect(await findDemo(dataDir)).toBeNull();
    await (await takeDemoPlace(dataDir))![Symbol.asyncDispose]();
  });

  it('is one’s of many that come at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => takePlace(dataDir)));
    expect(all.filter((place) => place !== null)).toHaveLength(1);
  });

  it('is free where the one before was killed, and what that told is not believed', async () => {
    const killed = (await takePlace(dataDir))!;
    await killed.tell({ ...state, pid: 2 ** 22 + 1 });
    const dead = { pid: 2 ** 22 + 1, started: 'long ago', port: 0, token: '', released: false };
    const lock = join(dataDir, 'up/up.1.json');
    const { readFile } = await import('node:fs/promises');
    const { space } = JSON.parse(await readFile(lock, 'utf8')) as { space: string };
    await writeFile(lock, JSON.stringify({ ...dead, space }));
    expect(await findUp(dataDir)).toBeNull();
    const next = (await takePlace(dataDir))!;
    expect(await findUp(dataDir)).toMatchObject({ pid: process.pid, state: null });
    await next[Symbol.asyncDispose]();
  });

  it('says what is wrong with a data directory that is a file', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    await expect(takePlace(file)).rejects.toMatchObject({ code: 'data_dir_unusable' });
  });
});
