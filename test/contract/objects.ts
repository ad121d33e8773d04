/** What every object store must do, whichever it is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectError } from '../../src/lib/base/errors.ts';
import { compareKeys, type ObjectInfo, type ObjectStore } from '../../src/lib/systems/objects/store.ts';

export interface StoreUnderTest {
  /** A store whose bucket or directory is there and empty. */
  open(): Promise<ObjectStore>;
  /** A store whose bucket or directory is not there yet; each call another one. */
  openMissing(): ObjectStore;
  /**
   * Keys S3 allows and this server does not (a gateway to a file system): then they are refused with `bad_key`. The
   * suite still runs them.
   */
  mayRefuse?: readonly string[];
}

const jpeg = { contentType: 'image/jpeg' };
const maxBytes = 1 << 20;

export const longSegment = `${'é'.repeat(200)}.jpg`;
export const longKey = `${'d'.repeat(200)}/${'e'.repeat(700)}/${'f'.repeat(90)}.jpg`;
/** Keys that are a file's name and a directory's at once. */
export const nested = ['nest', 'nest/a', 'nest/a/b.jpg', 'nest.jpg/x.jpg', 'nest.jpg', '%tmp', '%tmp/x.jpg'];

export const oddKeys = [
  'plain.jpg',
  'with space.jpg',
  ' leading and trailing ',
  'hash#1.jpg',
  'percent%.jpg',
  'percent%20.jpg',
  'percent%2F.jpg',
  'ends in %',
  'ends in %-',
  'plus+plus.jpg',
  'query?x=1&y=2.jpg',
  'amp&amp;<tag>.jpg',
  `quotes"'.jpg`,
  'back\\slash.jpg',
  'star*.jpg',
  'colon:.jpg',
  '.hidden.jpg',
  '..two-dots',
  '...',
  'folder/.hidden/x',
  'folder/ends in dot.',
  'folder.d/README',
  'BMW/1.jpg',
  'bmw/1.jpg',
  'ünïcödé/日本語.jpg',
  'u\u0308 decomposed.jpg',
  '\u00fc composed.jpg',
  'emoji😀.jpg',
  'private\uf8ff.jpg',
  '-rf',
  '__proto__',
  longSegment,
  longKey,
  ...nested,
];

const badKeys = {
  'an empty key': '',
  'a leading slash': '/etc/passwd',
  'a parent segment': 'a/../../etc/passwd',
  'a parent segment at the start': '../x.jpg',
  'a parent segment at the end': 'a/..',
  'a dot segment': 'a/./b',
  'an empty segment': 'a//b',
  'a slash at the end': 'a/',
  'a NUL': 'a\0.jpg',
  'a newline': 'a\nb.jpg',
  'a C1 control': 'a\u009b.jpg',
  'a lone surrogate': 'a\ud800.jpg',
  'four kilobytes': 'x'.repeat(4096),
  '1025 bytes in 1024 characters': `${'x'.repeat(1023)}é`,
};

export async function collect(source: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const all: ObjectInfo[] = [];
  for await (const each of source) all.push(each);
  return all;
}

export function objectStoreContract(name: string, under: StoreUnderTest): void {
  describe(`${name}: object store contract`, () => {
    let store: ObjectStore;
    beforeAll(async () => {
      store = await under.open();
    });
    afterAll(async () => {
      await store[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose](); // idempotent
    });

    const rejects = (promise: Promise<unknown>, code: string, retryable = false) =>
      expect(promise).rejects.toSatisfy((error) => {
        expect(error).toBeInstanceOf(ObjectError);
        expect(error).toMatchObject({ code, retryable });
        return true;
      });

    it('gives back odd keys byte for byte, and lists them in byte order', async () => {
      const kept: string[] = [];
      for (const key of oddKeys) {
        try {
          await store.put(`odd/${key}`, Buffer.from(`content of ${key}`), jpeg);
          kept.push(key);
        } catch (error) {
          expect(under.mayRefuse ?? [], `${key}: ${String(error)}`).toContain(key);
          expect(error).toMatchObject({ code: 'bad_key', retryable: false });
        }
      }
      for (const key of kept) {
        const content = `content of ${key}`;
        expect((await store.get(`odd/${key}`, { maxBytes })).toString(), key).toBe(content);
        expect(await store.head(`odd/${key}`)).toEqual({
          key: `odd/${key}`,
          bytes: Buffer.byteLength(content),
        });
      }
      const listed = await collect(store.list('odd/'));
      const expected = kept.map((key) => ({
        key: `odd/${key}`,
        bytes: Buffer.byteLength(`content of ${key}`),
      }));
      expected.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
      expect(listed).toEqual(expected);
      for (const key of kept) await store.remove(`odd/${key}`);
      expect(await collect(store.list('odd/'))).toEqual([]);
    });

    it('keeps every byte, and empty objects', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 * 300 }, (_, at) => at % 256));
      await store.put('bytes/all.bin', bytes, { contentType: 'application/octet-stream' });
      expect(await store.get('bytes/all.bin', { maxBytes })).toEqual(bytes);
      await store.put('bytes/none.bin', Buffer.alloc(0), jpeg);
      expect(await store.get('bytes/none.bin', { maxBytes: 0 })).toEqual(Buffer.alloc(0));
      expect(await store.head('bytes/none.bin')).toEqual({ key: 'bytes/none.bin', bytes: 0 });
    });

    it('keeps large objects', async () => {
      const bytes = Buffer.alloc(20 * 1024 * 1024 + 7);
      for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at, Math.min(at, bytes.length - 4));
      await store.put('bytes/large.bin', bytes, jpeg);
      const back = await store.get('bytes/large.bin', { maxBytes: bytes.length });
      expect(back.equals(bytes)).toBe(true);
      await store.remove('bytes/large.bin');
    });

    it('replaces', async () => {
      await store.put('replace.jpg', Buffer.from('the first content'), jpeg);
      await store.put('replace.jpg', Buffer.from('the second'), jpeg);
      expect((await store.get('replace.jpg', { maxBytes })).toString()).toBe('the second');
      expect(await store.head('replace.jpg')).toEqual({ key: 'replace.jpg', bytes: 10 });
    });

    it('replaces atomically under readers, with two writers at once', async () => {
      const versions = ['a', 'b', 'c'].map((letter, at) => Buffer.alloc(40_000 + at * 30_000, letter));
      await store.put('atomic.jpg', versions[0]!, jpeg);
      let writing = true;
      const seen = new Set<string>();
      const read = async () => {
        while (writing) {
          const found = await store.get('atomic.jpg', { maxBytes });
          const version = versions.find((each) => each.equals(found));
          expect(version, `${found.length} bytes that nobody wrote`).toBeDefined();
          seen.add(String.fromCharCode(found[0]!));
        }
      };
      const write = async (offset: number) => {
        for (let round = 0; round < 30; round++) {
          await store.put('atomic.jpg', versions[(round + offset) % versions.length]!, jpeg);
        }
      };
      const readers = [read(), read(), read()];
      await Promise.all([write(0), write(1)]).finally(() => (writing = false));
      await Promise.all(readers);
      expect(seen.size).toBeGreaterThan(1);
      expect((await collect(store.list('atomic'))).map(({ key }) => key)).toEqual(['atomic.jpg']);
    });

    it('says not_found, and null for head', async () => {
      await rejects(store.get('nowhere/at all.jpg', { maxBytes }), 'not_found');
      expect(await store.head('nowhere/at all.jpg')).toBeNull();
      await store.put('a-file.jpg', Buffer.from('x'), jpeg);
      await rejects(store.get('a-file.jpg/below', { maxBytes }), 'not_found');
    });

    it('removes, also what is not there', async () => {
      await store.put('gone/x.jpg', Buffer.from('x'), jpeg);
      await store.remove('gone/x.jpg');
      await store.remove('gone/x.jpg');
      await store.remove('never/was.jpg');
      expect(await store.head('gone/x.jpg')).toBeNull();
    });

    it('refuses what is too large, two hundred times, and goes on', async () => {
      await store.put('large.jpg', Buffer.alloc(300_000, 'x'), jpeg);
      await store.put('small.jpg', Buffer.from('small'), jpeg);
      await expect(store.get('large.jpg', { maxBytes: 300_000 })).resolves.toHaveLength(300_000);
      for (let count = 0; count < 200; count++)
        await rejects(store.get('large.jpg', { maxBytes: 299_999 }), 'too_large');
      for (let count = 0; count < 200; count++) {
        expect((await store.get('small.jpg', { maxBytes: 5 })).toString()).toBe('small');
      }
    });

    it('asks before the bytes take memory, with their number, and takes no for an answer', async () => {
      await store.put('asked.jpg', Buffer.alloc(70_000, 'x'), jpeg);
      const asked: number[] = [];
      const admit = (bytes: number) => Promise.resolve(void asked.push(bytes));
      expect(await store.get('asked.jpg', { maxBytes: 70_000, admit })).toHaveLength(70_000);
      expect(asked).toEqual([70_000]);
      const refusal = new Error('no room');
      // Refused bodies must give their connections back.
      for (let count = 0; count < 100; count++) {
        const refused = store.get('asked.jpg', { maxBytes: 70_000, admit: () => Promise.reject(refusal) });
        await expect(refused).rejects.toThrow(/no room/);
      }
      expect(await store.get('asked.jpg', { maxBytes: 70_000 })).toHaveLength(70_000);
    });

    for (const [title, key] of Object.entries(badKeys)) {
      it(`refuses ${title}`, async () => {
        await rejects(store.put(key, Buffer.from('x'), jpeg), 'bad_key');
        await rejects(store.get(key, { maxBytes }), 'bad_key');
        await rejects(store.head(key), 'bad_key');
        await rejects(store.remove(key), 'bad_key');
      });
    }

    it('lists 1100 objects over pages, each once, in byte order', async () => {
      const keys = Array.from({ length: 1100 }, (_, at) => `pages/${at % 7}/${(at * 7919) % 1100}`);
      const body = Buffer.from('.');
      const queue = [...keys];
      const worker = async () => {
        for (let key = queue.pop(); key !== undefined; key = queue.pop()) await store.put(key, body, jpeg);
      };
      await Promise.all(Array.from({ length: 16 }, worker));
      const listed = (await collect(store.list('pages/'))).map(({ key }) => key);
      expect(listed).toEqual(keys.sort(compareKeys));
      for await (const first of store.list('pages/')) {
        expect(first.key).toBe(listed[0]);
        break; // leaving early is fine
      }
    });

    it('lists by any prefix of a key, not only by folder', async () => {
      for (const key of ['pre/fix/1', 'pre/fix/2', 'pre/fox/1', 'pre-x', 'pre.x', 'prey']) {
        await store.put(key, Buffer.from('x'), jpeg);
      }
      const keys = async (prefix: string) => (await collect(store.list(prefix))).map(({ key }) => key);
      expect(await keys('pre')).toEqual(['pre-x', 'pre.x', 'pre/fix/1', 'pre/fix/2', 'pre/fox/1', 'prey']);
      expect(await keys('pre/')).toEqual(['pre/fix/1', 'pre/fix/2', 'pre/fox/1']);
      expect(await keys('pre/fi')).toEqual(['pre/fix/1', 'pre/fix/2']);
      expect(await keys('pre/fix/2')).toEqual(['pre/fix/2']);
      expect(await keys('pre/nothing/')).toEqual([]);
      expect(await keys('pre/../pre')).toEqual([]);
      expect(await keys('../')).toEqual([]);
    });

    it('stops for an abort with its reason', async () => {
      await store.put('abort.jpg', Buffer.from('x'), jpeg);
      const reason = new Error('enough');
      await expect(store.get('abort.jpg', { maxBytes, signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      );
    });

    it('is made by create, once, also by two at the same time', async () => {
      await using missing = under.openMissing();
      expect([await missing.exists(), await missing.exists({ quick: true })]).toEqual([false, false]);
      const made = await Promise.all([missing.create(), missing.create()]);
      expect(made.some(({ created }) => created)).toBe(true);
      expect([await missing.exists(), await missing.exists({ quick: true })]).toEqual([true, true]);
      expect(await missing.create()).toEqual({ created: false });
      await missing.put('x.jpg', Buffer.from('x'), jpeg);
      expect(await collect(missing.list())).toEqual([{ key: 'x.jpg', bytes: 1 }]);
      await missing.remove('x.jpg');
    });

    it('tells a missing bucket from a missing object', async () => {
      await using missing = under.openMissing();
      await rejects(missing.get('x.jpg', { maxBytes }), 'bucket_missing');
      await rejects(missing.put('x.jpg', Buffer.from('x'), jpeg), 'bucket_missing');
      await rejects(missing.head('x.jpg'), 'bucket_missing');
      await rejects(missing.remove('x.jpg'), 'bucket_missing');
      await rejects(collect(missing.list()), 'bucket_missing');
      await expect(missing.get('x.jpg', { maxBytes })).rejects.toHaveProperty(
        'hint',
        expect.stringContaining('init'),
      );
    });
  });
}
