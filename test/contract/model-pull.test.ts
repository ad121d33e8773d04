/** `model pull` against a real HTTP server: cut connections, wrong checksums, full disks, proxies. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { squeezeNet10 } from '../../src/lib/models/onnx/squeezenet-layout.ts';
import { withoutSecrets } from '../../src/lib/models/pull/download-errors.ts';
import { download, type DownloadEvent, type DownloadOptions } from '../../src/lib/models/pull/download.ts';
import { pullModel, type PullOptions } from '../../src/lib/models/pull/pull.ts';
import { openModelStore, type ModelStore } from '../../src/lib/models/store/store.ts';
import { FileServer, Proxy, RefusingProxy } from '../support/file-server.ts';
import { rejection } from '../support/images.ts';
import { op, pickle, pth, squeezeNetPth } from '../support/pth.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let file: Buffer;
beforeAll(() => {
  file = squeezeNetPth();
});

let dir: string;
let store: ModelStore;
let events: DownloadEvent[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-pull-'));
  store = openModelStore(join(dir, 'models'), join(dir, 'bundled'));
  events = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const hub = { endpoint: 'https://huggingface.co' };

function pull(from: string, options: Partial<PullOptions> = {}) {
  const { signal } = new AbortController();
  const given = {
    from,
    sha256: sha256(file),
    proxy: {},
    signal,
    report: (event: DownloadEvent) => events.push(event),
  };
  return pullModel(store, 'squeezenet1_1', { ...given, hub, ...options });
}

const kinds = () => events.map(({ kind }) => kind).filter((kind) => kind !== 'received');
const downloads = () => readdir(join(store.directory, '.downloads')).catch(() => []);

describe('what is secret in an address', () => {
  const secrets = ['sesame', 'magic words', 'magic%20words', 'deadbeef', 'ABCDEF'];
  const secret = 'someone:magic%20words@';
  const query = '?X-Amz-Credential=ABCDEF&X-Amz-Signature=deadbeef&token=sesame';

  /** The address with all of it. */
  function signed(url: string): string {
    return url.replace('://', `://${secret}`) + query;
  }

  function expectClean(...told: unknown[]): void {
    const text = told.map((each) => inspect(each, { depth: 20, showHidden: true })).join('\n');
    for (const each of [...secrets, 'someone']) expect(text).not.toContain(each);
  }

  async function serving(answer: (incoming: IncomingMessage, response: ServerResponse) => void) {
    const server = createServer(answer);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.pth`;
    return { url, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
  }

  it('reaches the server and nothing else', async () => {
    const seen: (string | undefined)[] = [];
    await using server = await serving((incoming, response) => {
      seen.push(incoming.headers.authorization, incoming.url);
      response.writeHead(200, { 'content-length': file.length }).end(file);
    });
    const pulled = await pull(signed(server.url), { sha256: undefined });
    expect(seen).toEqual([
      `Basic ${Buffer.from('someone:magic words').toString('base64')}`,
      `/a.pth${query}`,
    ]);
    expect(pulled.entry.manifest?.source).toBe(`${server.url} sha256:${sha256(file)}`);
    expectClean(pulled, events, await readFile(join(pulled.entry.path, 'model.json'), 'utf8'));
  });

  it('is in no error: of a status, a checksum, a host that is not there, an address that is none', async () => {
    await using refusing = await serving((_, response) => void response.writeHead(403).end('no'));
    await using other = await serving((_, response) => void response.end('something else'));
    const told: unknown[] = [];
    for (const from of [
      signed(refusing.url),
      signed(other.url),
      signed('http://127.0.0.1:1/a.pth'),
      signed('https://127.0.0.1:99999/a.pth'),
      signed('ftp://127.0.0.1/a.pth'),
      signed('htps://127.0.0.1/a.pth'),
      `http://someone:magic%2@127.0.0.1/a.pth${query}`,
      `file://someone:magic%20words@host/a.pth${query}`,
    ]) {
      const stop = new AbortController();
      const report = (event: DownloadEvent) => {
        told.push(event);
        if (event.kind === 'retrying') stop.abort(new Error('enough'));
      };
      const error = await rejection(pull(from, { signal: stop.signal, report }));
      if (!stop.signal.aborted) expect(error).toBeInstanceOf(VisionscaleError);
      told.push(error);
    }
    expectClean(told);
  });

  it('is not told of where a server sends one to', async () => {
    await using server = await serving((_, response) => {
      const location = signed('http://127.0.0.1:1/b.pth');
      response.writeHead(302, { location }).end();
    });
    const stop = new AbortController();
    const told: DownloadEvent[] = [];
    const report = (event: DownloadEvent) => {
      told.push(event);
      if (event.kind === 'retrying') stop.abort(new Error('enough'));
    };
    const error = await rejection(pull(server.url, { signal: stop.signal, report }));
    expectClean(error, told);
  });

  it('is cut out of any text', () => {
    const text = `fetch ${signed('https://h/a')} failed: token sesame, then wss://x:y@z/q?r=s`;
    expect(withoutSecrets(text, signed('https://h/a'))).toBe(
      'fetch https://h/a failed: token …, then wss://z/q',
    );
  });
});

describe('pull', () => {
  it('downloads, verifies, converts and installs', async () => {
    await using server = await FileServer.open(file);
    const { entry, verified } = await pull(server.url);
    expect(verified).toBe(true);
    expect(entry).toMatchObject({ name: 'squeezenet1_1', version: sha256(file).slice(0, 8) });
    expect(entry.manifest?.source).toBe(`${server.url} sha256:${sha256(file)}`);
    const { info, output } = await loadModel(entry.path);
    expect([info.labels.length, info.labels[0], output]).toEqual([1000, 'tench, Tinca tinca', 'logits']);
    const received = events.reduce((sum, event) => sum + (event.kind === 'received' ? event.bytes : 0), 0);
    expect(received).toBe(file.length);
    expect(await downloads()).toEqual([]);
  });

  itThorough('takes a file, and says its checksum when none was given', async () => {
    const path = join(dir, 'x.pth');
    await writeFile(path, file);
    expect(await pull(path, { sha256: undefined })).toMatchObject({ verified: false, sha256: sha256(file) });
    await expect(pull(path, { sha256: '0'.repeat(64) })).rejects.toMatchObject({ code: 'checksum_mismatch' });
    await expect(pull(join(dir, 'y.pth'))).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('takes SqueezeNet 1.0 too, and imagenet for what it was', async () => {
    const path = join(dir, 'old.pth');
    await writeFile(path, squeezeNetPth(1000, squeezeNet10));
    const { signal } = new AbortController();
    const { entry } = await pullModel(store, 'squeezenet1_0', { from: path, hub, proxy: {}, signal });
    expect(entry).toMatchObject({ name: 'squeezenet1_0', manifest: { output: 'logits' } });
    await writeFile(path, file);
    const same = await pullModel(store, 'imagenet', { from: path, hub, proxy: {}, signal });
    expect(same.entry.name).toBe('squeezenet1_1');
  });

  it('goes on where the connection was cut', async () => {
    await using server = await FileServer.open(file);
    server.cuts = [1_000_000, 500_000];
    await pull(server.url);
    expect(kinds()).toEqual(['started', 'retrying', 'started', 'retrying', 'started']);
    const [first, second, third] = server.requests;
    expect(first?.range).toBeUndefined();
    // What was on the way when the connection broke may be lost; nothing before it is.
    const at = (range: string | undefined) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]);
    expect(at(second?.range)).toBeGreaterThan(0);
    expect(at(second?.range)).toBeLessThanOrEqual(1_000_000);
    expect(at(third?.range)).toBeGreaterThan(at(second?.range));
    expect(at(third?.range)).toBeLessThanOrEqual(at(second?.range) + 500_000);
    expect(second?.ifRange).toBe('"one"');
  });

  itThorough('goes on with what a process that is gone has left', async () => {
    await using server = await FileServer.open(file);
    server.cuts = [2_000_000];
    const stop = new AbortController();
    const stopping = (event: DownloadEvent) => event.kind === 'retrying' && stop.abort();
    await rejection(pull(server.url, { signal: stop.signal, report: stopping }));
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (const name of await downloads()) {
      const path = join(store.directory, '.downloads', name);
      await rename(path, path.replace(`-${process.pid}.`, `-${pid}.`));
    }
    await pull(server.url);
    const resumed = Number(/^bytes=(\d+)-$/.exec(server.requests.at(-1)?.range ?? '')?.[1]);
    expect(resumed).toBeGreaterThan(0);
    expect(resumed).toBeLessThanOrEqual(2_000_000);
    expect(await downloads()).toEqual([]);
  });

  itThorough('begins anew when the file has changed meanwhile', async () => {
    const other = Buffer.concat([file, Buffer.alloc(1000)]);
    await using server = await FileServer.open(other);
    server.cuts = [1_000_000];
    const change = (event: DownloadEvent) => {
      if (event.kind !== 'retrying') return;
      [server.content, server.etag] = [file, '"two"'];
    };
    await pull(server.url, { report: change });
    expect(server.requests.map(({ range }) => range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=\d+-$/),
    ]);
    expect(server.requests.at(-1)?.sent).toBe(file.length);
  });

  it.runIf(thorough).each([
    ['knows no ranges', { ranges: false }],
    ['gives no ETag', { etag: undefined }],
    ['gives a weak ETag', { etag: 'W/"one"' }],
    ['does not tell the length', { length: false }],
  ])(thoroughTitle('works with a server that %s'), async (_, behaviour) => {
    await using server = Object.assign(await FileServer.open(file), behaviour);
    server.cuts = [1_000_000];
    expect((await pull(server.url)).sha256).toBe(sha256(file));
  });

  itThorough('tries again after errors that may pass, and not after others', async () => {
    await using server = await FileServer.open(file);
    server.statuses = [503, 429, 500];
    await pull(server.url);
    expect(server.requests).toHaveLength(4);
    server.statuses = [404];
    const error = await rejection(pull(server.url, { sha256: '1'.repeat(64) }));
    expect(error).toMatchObject({ code: 'download_failed', retryable: false });
    expect((error as Error).message).toContain('404');
    expect(server.requests).toHaveLength(5);
  });

  itThorough('gives up on a server that has stalled, and goes on with the next attempt', async () => {
    await using server = await FileServer.open(file);
    server.stallAfter = 3_000_000;
    await pull(server.url, { timeoutMs: 1500 });
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=3000000-']);
  });

  it('stops at once when it is told to', async () => {
    await using server = await FileServer.open(file);
    server.stallAfter = 1_000_000;
    const stop = new AbortController();
    const atFirstBytes = (event: DownloadEvent) => event.kind === 'received' && stop.abort();
    await rejection(pull(server.url, { signal: stop.signal, report: atFirstBytes }));
    expect(server.requests).toHaveLength(1);
    expect((await store.list()).filter(({ bundled }) => !bundled)).toEqual([]);
  });
});

describe('refused, and nothing is installed', () => {
  afterEach(async () => {
    expect((await store.list()).filter(({ bundled }) => !bundled)).toEqual([]);
    expect(
      (await readdir(store.directory).catch(() => [])).filter((name) => name.startsWith('.inst')),
    ).toEqual([]);
  });

  it('a wrong checksum, whose bytes are thrown away', async () => {
    await using server = await FileServer.open(file);
    const error = await rejection(pull(server.url, { sha256: '0'.repeat(64) }));
    expect(error).toMatchObject({ code: 'checksum_mismatch' });
    expect((error as Error).message).toContain(sha256(file));
    expect(await downloads()).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it('a pickle that calls os.system', async () => {
    const hostile = pth(
      pickle(op.global('os', 'system'), op.tuple(op.text(`touch ${join(dir, 'ran')}`)), op.reduce),
    );
    await using server = await FileServer.open(hostile);
    await expect(pull(server.url, { sha256: undefined })).rejects.toMatchObject({ code: 'model_unsafe' });
    expect(existsSync(join(dir, 'ran'))).toBe(false);
  });

  it('weights of another number of classes', async () => {
    const path = join(dir, 'ten.pth');
    await writeFile(path, squeezeNetPth(10));
    await expect(pull(path, { sha256: undefined })).rejects.toMatchObject({ code: 'labels_mismatch' });
  });

  it('a file larger than any such model', async () => {
    await using server = await FileServer.open(file);
    await mkdir(join(dir, 'parts'));
    const options: DownloadOptions = {
      url: server.url,
      directory: join(dir, 'parts'),
      maxBytes: 1_000_000,
      proxy: {},
      signal: new AbortController().signal,
    };
    await expect(download(options)).rejects.toMatchObject({ code: 'download_too_large' });
    server.length = false; // and it does not say so
    await expect(download(options)).rejects.toMatchObject({ code: 'download_too_large' });
    expect(await readdir(join(dir, 'parts'))).toEqual([]);
  });
});

describe('through a proxy', () => {
  it('when one is set', async () => {
    await using server = await FileServer.open(file);
    await using proxy = await Proxy.open();
    await pull(server.url, { proxy: { http: proxy.url } });
    expect(proxy.asked).toHaveLength(1);
    expect(proxy.asked[0]).toContain(new URL(server.url).host);
  });

  itThorough('but not for hosts that need none', async () => {
    await using server = await FileServer.open(file);
    await using proxy = await Proxy.open();
    await pull(server.url, { proxy: { http: proxy.url, none: '127.0.0.1' } });
    expect(proxy.asked).toEqual([]);
  });

  it('for torchvision’s address, which is the default', async () => {
    await using proxy = await RefusingProxy.open();
    const stop = new AbortController();
    const report = (event: DownloadEvent) => event.kind === 'retrying' && stop.abort();
    const error = await rejection(
      pullModel(store, 'squeezenet1_1', { hub, proxy: { https: proxy.url }, signal: stop.signal, report }),
    );
    expect(proxy.asked).toEqual(['download.pytorch.org:443']);
    expect(error).toMatchObject({ code: 'download_failed', retryable: true });
    expect((error as Error).message).toContain(
      'https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth',
    );
  });

  it('for a model of the hub', async () => {
    await using proxy = await RefusingProxy.open();
    const settings = { hub: { ...hub, token: 'hf_sesame' }, proxy: { https: proxy.url } };
    const stop = new AbortController();
    const report = (event: DownloadEvent) => event.kind === 'retrying' && stop.abort();
    const error = await rejection(
      pullModel(store, 'hf:owner/name', { ...settings, signal: stop.signal, report }),
    );
    expect(proxy.asked).toEqual(['huggingface.co:443']);
    expect(error).toMatchObject({
      code: 'download_failed',
      hint: expect.stringContaining('model add <directory>') as string,
    });
  });

  it('whose address is no URL: said, and the password is not', async () => {
    await using server = await FileServer.open(file);
    const error = await rejection(pull(server.url, { proxy: { http: 'socks5://me:hunter2@x' } }));
    expect(error).toMatchObject({ code: 'usage' });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('hunter2');
  });
});

/** A disk of its own, which only root may make. */
function withTinyDisk(megabytes: number, run: (path: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const path = join(dir, 'disk');
    await mkdir(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
    try {
      await run(path);
    } finally {
      execFileSync('umount', [path]);
    }
  };
}

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const script = 'd=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$d" && umount "$d" && rmdir "$d"';
  return spawnSync('sh', ['-c', script]).status === 0;
}

describe.skipIf(!canMount)('a full disk [needs root and tmpfs]', () => {
  it(
    'while downloading',
    withTinyDisk(2, async (disk) => {
      await using server = await FileServer.open(file);
      store = openModelStore(disk);
      const error = await rejection(pull(server.url));
      expect(error).toMatchObject({ code: 'disk_full', hint: expect.stringContaining('--models') as string });
      expect(server.requests).toHaveLength(1);
      expect((await store.list()).filter(({ bundled }) => !bundled)).toEqual([]);
      expect(await downloads()).toEqual([]);
    }),
  );

  it(
    'while installing',
    withTinyDisk(2, async (disk) => {
      store = openModelStore(disk);
      const path = join(dir, 'x.pth');
      await writeFile(path, file);
      await expect(pull(path)).rejects.toMatchObject({ code: 'disk_full' });
      expect((await store.list()).filter(({ bundled }) => !bundled)).toEqual([]);
      const left = await readdir(disk, { recursive: true });
      const sizes = await Promise.all(left.map(async (name) => (await stat(join(disk, name))).isFile()));
      expect(sizes).not.toContain(true);
    }),
  );
});
