/** `watch` on a real folder, store, database and topic: whole files only, each once, whatever is killed or away. */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ObjectError } from '../../src/lib/base/errors.ts';
import { checkImage } from '../../src/lib/models/images/check.ts';
import {
  watch,
  type WatchEvent,
  type WatchOptions,
  type WatchResult,
} from '../../src/lib/pipeline/watch/watch.ts';
import { imageTable } from '../../src/lib/systems/database/tables/images.ts';
import { header, type TopicRecord } from '../../src/lib/systems/message/record.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { colorImage } from '../support/color-model.ts';
import { testDatabase } from '../support/database.ts';

async function setUp() {
  const root = await mkdtemp(join(tmpdir(), 'visionscale watch '));
  const dir = join(root, 'camera 1');
  await mkdir(dir);
  const database = await testDatabase();
  const { pool } = database;
  const topic = await openEmbeddedTopic({ pool, name: 'images', pollMs: 50 });
  const files = openFileStore(join(root, 'store'));
  await files.create();
  const running = new Set<{ stop: () => Promise<WatchResult> }>();
  onTestFinished(async () => {
    await Promise.allSettled([...running].map(({ stop }) => stop()));
    await topic[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  const put = async (name: string, content: Buffer) => {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  };
  /** Begins to watch. `until` waits for so many events like this; `stop` drains and returns the result. */
  const start = (options: Partial<WatchOptions> = {}, store: ObjectStore = files) => {
    const end = new AbortController();
    const events: WatchEvent[] = [];
    const looks = new Set<() => void>();
    const result = watch(
      {
        pool,
        topic,
        store,
        images: imageTable(pool),
        check: (bytes) => checkImage(bytes),
        report: (event) => {
          events.push(event);
          for (const look of looks) look();
        },
      },
      {
        dir,
        settleMs: 60,
        incompleteMs: 700,
        pollMs: null,
        deleteAfter: false,
        concurrency: 4,
        maxBytes: 1e6,
        partitions: 1,
        signal: end.signal,
        ...options,
      },
    );
    result.catch(() => undefined);
    const stop = () => {
      end.abort();
      return result;
    };
    const until = (kind: WatchEvent['kind'], count = 1) =>
      Promise.race([
        new Promise<void>((resolve) => {
          const look = () => events.filter((event) => event.kind === kind).length >= count && resolve();
          looks.add(look);
          look();
        }),
        result.then(() => undefined),
      ]);
    const watched = { events, until, stop, result };
    running.add(watched);
    return watched;
  };
  const images = async () =>
    (await pool.query<{ key: string; round: number; produced: boolean }>(
      'select image_key as key, round, produced_at is not null as produced from image_info order by image_key',
    )).rows; // prettier-ignore
  const messages = async (): Promise<TopicRecord[]> => {
    const { end } = await topic.bounds(0);
    const found: TopicRecord[] = [];
    if (end === 0) return found;
    await using reader = await topic.reader({ partition: 0, from: 0, group: 'look' });
    for await (const record of reader.records(AbortSignal.timeout(20_000))) {
      found.push(record);
      if (found.length === end) break;
    }
    return found;
  };
  const keys = async () => (await messages()).map(({ value }) => value!.toString()).sort();
  return { root, dir, pool, topic, files, put, start, images, messages, keys };
}

const of = <Kind extends WatchEvent['kind']>(events: WatchEvent[], kind: Kind) =>
  events.filter((event): event is Extract<WatchEvent, { kind: Kind }> => event.kind === kind);

describe('watch', () => {
  it('sends what is there and what comes, with its time and belt, and nothing twice after a restart', async () => {
    const { put, start, images, messages, keys, files, dir } = await setUp();
    const there = await put('belt 1/a.png', await colorImage('red', 1));
    await utimes(there, new Date('2026-11-22T08:00:00Z'), new Date('2026-11-22T08:00:00Z'));
    await put('not an image.png', Buffer.from('nothing'));
    await put('later.png.part', await colorImage('red', 9));
    await put('.hidden.png', await colorImage('red', 9));
    await put('notes.txt', Buffer.from('nothing'));
    const first = start({ prefix: 'cam', belt: 'north' });
    await first.until('watching');
    await put('b.png', await colorImage('green', 2));
    await first.until('sent', 2);
    // Moved in whole, from a directory beside the watched one: its name is new, and nothing else is.
    await rename(join(dir, 'later.png.part'), join(dir, 'later.png'));
    await first.until('sent', 3);
    await first.until('rejected');
    expect(await first.stop()).toMatchObject({
      sent: 3,
      skipped: 0,
      rejected: 1,
      passedOver: 1,
      passedOverKinds: { '.txt': 1 },
    });
    expect(await keys()).toEqual(['cam/b.png', 'cam/belt 1/a.png', 'cam/later.png']);
    const [a] = (await messages()).filter(({ value }) => value!.toString() === 'cam/belt 1/a.png');
    expect(a!.headers).toMatchObject({
      [header.requestId]: 'p:1:cam/belt 1/a.png',
      [header.capturedAt]: '2026-11-22T08:00:00.000Z',
      [header.belt]: 'north',
    });
    expect(await files.head('cam/belt 1/a.png')).not.toBeNull();
    expect(of(first.events, 'rejected')[0]!.path).toContain('not an image.png');

    await put('new while nobody watched.png', await colorImage('blue', 3));
    await put('b.png', await colorImage('green', 77));
    const second = start({ prefix: 'cam', belt: 'north' });
    await second.until('sent', 2);
    await second.until('skipped', 2);
    expect(await second.stop()).toMatchObject({ sent: 2, replaced: 1, skipped: 2 });
    expect(await images()).toEqual([
      { key: 'cam/b.png', round: 2, produced: true },
      { key: 'cam/belt 1/a.png', round: 1, produced: true },
      { key: 'cam/later.png', round: 1, produced: true },
      { key: 'cam/new while nobody watched.png', round: 1, produced: true },
    ]);
    expect(await messages()).toHaveLength(5);
  });

  it('waits for a slow writer, who may pause longer than files take to settle', async () => {
    const { dir, start, files } = await setUp();
    const watched = start({ settleMs: 50, incompleteMs: 5000 });
    await watched.until('watching');
    const content = await colorImage('red', 5, 'jpeg');
    const path = join(dir, 'slow.jpg');
    await using file = await open(path, 'w');
    // Room for all of it is taken at once, as some cameras do: the size says nothing.
    await file.truncate(content.length);
    for (let at = 0; at < content.length; at += 200) {
      await file.write(content.subarray(at, at + 200), 0, Math.min(200, content.length - at), at);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    await watched.until('sent');
    expect(await watched.stop()).toMatchObject({ sent: 1, replaced: 0 });
    const stored = await files.get('slow.jpg', { maxBytes: 1e6 });
    expect(stored.equals(content)).toBe(true);
  });

  it('takes up a rejected file when it is finished after all', async () => {
    const { start, put, keys } = await setUp();
    const content = await colorImage('blue', 5);
    const path = await put('half.png', content.subarray(0, 60));
    const watched = start({ incompleteMs: 100 });
    await watched.until('rejected');
    await appendFile(path, content.subarray(60));
    await watched.until('sent');
    await watched.stop();
    expect(await keys()).toEqual(['half.png']);
  });

  it('sends what was uploaded, and not yet sent, when it was killed', async () => {
    const { start, put, pool, keys } = await setUp();
    await put('a.png', await colorImage('red', 1));
    const first = start();
    await first.until('sent');
    await first.stop();
    // As if it had died before the topic's acknowledgement was marked.
    await pool.query('update image_info set produced_at = null');
    const second = start();
    await second.until('sent');
    expect(await second.stop()).toMatchObject({ sent: 1, replaced: 0 });
    // The same request once more: to a consumer, one.
    expect(await keys()).toEqual(['a.png', 'a.png']);
    expect((await pool.query('select round from image_info')).rows).toEqual([{ round: 1 }]);
  });

  it('deletes what is sent, if it is asked to, and nothing else', async () => {
    const { dir, start, put, keys } = await setUp();
    await put('a.png', await colorImage('red', 1));
    await put('no image.png', Buffer.from('x'));
    const watched = start({ deleteAfter: true, incompleteMs: 100 });
    await watched.until('deleted');
    await watched.until('rejected');
    expect(await watched.stop()).toMatchObject({ sent: 1, deleted: 1 });
    expect(execFileSync('ls', [dir], { encoding: 'utf8' })).toBe('no image.png\n');
    expect(await keys()).toEqual(['a.png']);
  });

  it('waits for a store that is away or denies access, and loses nothing', async () => {
    const { files, start, put, keys } = await setUp();
    let fault: string | null = 'unavailable';
    const store = {
      put(...given: Parameters<ObjectStore['put']>) {
        if (fault === null) return files.put(...given);
        return Promise.reject(new ObjectError('no', { code: fault, retryable: fault === 'unavailable' }));
      },
    } as unknown as ObjectStore;
    await put('a.png', await colorImage('red', 1));
    const watched = start({}, store);
    await watched.until('waiting');
    fault = 'access_denied';
    await watched.until('waiting', 3);
    fault = null;
    await watched.until('sent');
    await watched.stop();
    expect(await keys()).toEqual(['a.png']);

    fault = 'unavailable';
    await put('b.png', await colorImage('red', 2));
    const cut = start({}, store);
    await cut.until('waiting');
    expect(await cut.stop()).toMatchObject({ sent: 0 });
  });

  it('follows no link out of the folder, and takes no odd name', async () => {
    const { root, dir, start, put, keys } = await setUp();
    await mkdir(join(root, 'secret'));
    await writeFile(join(root, 'secret', 's.png'), await colorImage('red', 1));
    await symlink(join(root, 'secret'), join(dir, 'linked'));
    await symlink(join(root, 'secret', 's.png'), join(dir, 's.png'));
    execFileSync('sh', [
      '-c',
      'cp "$1" "$2/$(printf "bad\\377.png")"',
      'sh',
      join(root, 'secret', 's.png'),
      dir,
    ]);
    await put('line\nbreak.png', await colorImage('red', 3));
    const ok = await put('ok.png', await colorImage('red', 2));
    const watched = start({ incompleteMs: 50 });
    await watched.until('sent');
    await watched.until('rejected', 3);
    expect(await watched.stop()).toMatchObject({ sent: 1 });
    expect(await keys()).toEqual(['ok.png']);
    expect(of(watched.events, 'sent')[0]!.path).toBe(ok);
  });

  it('ends with what to do when its folder is gone', async () => {
    const { dir, start } = await setUp();
    const watched = start();
    await watched.until('watching');
    await rm(dir, { recursive: true });
    await expect(watched.result).rejects.toMatchObject({ code: 'folder_gone' });
    await expect(start().result).rejects.toMatchObject({ code: 'usage' });
  });

  it('looks by itself where the system does not tell', async () => {
    const { start, put, keys } = await setUp();
    const watched = start({ pollMs: 100 });
    await watched.until('watching');
    await put('deep/a.png', await colorImage('red', 1));
    await watched.until('sent');
    await watched.stop();
    expect(await keys()).toEqual(['deep/a.png']);
  });
});
