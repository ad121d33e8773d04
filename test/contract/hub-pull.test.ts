/** `model pull hf:…` against a server with the hub's paths: what is kept, what is checked, and what is told. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { catalogue } from '../../src/lib/models/pull/catalogue.ts';
import type { DownloadEvent } from '../../src/lib/models/pull/download.ts';
import { pullModel, type PullOptions } from '../../src/lib/models/pull/pull.ts';
import { openModelStore, type ModelStore } from '../../src/lib/models/store/store.ts';
import { type HubFiles, HubServer } from '../support/hub-server.ts';
import { rejection } from '../support/images.ts';
import { chanceSqueezeNet } from '../support/squeezenet-models.ts';
import { tinyWeights } from '../support/tiny-models.ts';

const [first, second, third] = ['1', '2', '3'].map((digit) => digit.repeat(40)) as [string, string, string];
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const text = (value: unknown) => Buffer.from(JSON.stringify(value));

const config = text({ model_type: 'means', id2label: { 0: 'red', 1: 'green', 2: 'blue' } });
const processor = text({
  do_center_crop: true,
  crop_size: { height: 8, width: 8 },
  size: { shortest_edge: 10 },
  resample: 3,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.25, 0.25, 0.25],
});
const mean = tinyWeights('mean');
const leftHalf = tinyWeights('leftHalf');
/** The same network in other bytes: its doc_string is "x". */
const described = Buffer.concat([mean, Buffer.from([0x32, 1, 0x78])]);

function published(files: HubFiles = {}): HubFiles {
  return {
    'README.md': Buffer.from('# a model'),
    'config.json': config,
    'preprocessor_config.json': processor,
    'onnx/model.onnx': mean,
    ...files,
  };
}

let dir: string;
let store: ModelStore;
let server: HubServer;
let events: DownloadEvent[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-hub-'));
  store = openModelStore(join(dir, 'models'), join(dir, 'bundled'));
  server = await HubServer.open();
  server.repositories['owner/colours'] = {
    commits: { [first]: published(), [second]: published({ 'onnx/model.onnx': leftHalf }) },
    refs: { main: first, 'refs/pr/1': second },
    license: 'apache-2.0',
  };
  events = [];
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

function pull(name = 'hf:owner/colours', options: Partial<PullOptions> = {}, token?: string) {
  const { signal } = new AbortController();
  const hub = { endpoint: server.url, ...(token !== undefined && { token }) };
  const report = (event: DownloadEvent) => events.push(event);
  return pullModel(store, name, { hub, proxy: {}, signal, report, ...options });
}

/** A publisher's new commit becomes what the branch is. */
function publish(commit: string, files: HubFiles): void {
  const repository = server.repositories['owner/colours']!;
  repository.commits[commit] = files;
  repository.refs['main'] = commit;
}

const installed = async () => (await store.list()).map(({ name, version }) => `${name}@${version}`);

describe('pull', () => {
  it('installs what the repository says, by its name, with commit and checksum', async () => {
    const pulled = await pull();
    const digest = sha256(mean);
    expect(pulled).toMatchObject({
      sha256: digest,
      verified: false,
      commit: first,
      license: 'apache-2.0',
      warnings: [],
    });
    expect(pulled.entry).toMatchObject({
      name: 'colours',
      version: digest.slice(0, 8),
      digest: `sha256:${digest}`,
    });
    expect(pulled.entry.manifest?.source).toBe(
      `hf:owner/colours@main commit ${first} onnx/model.onnx sha256:${digest}`,
    );
    const { info, preprocessing } = await loadModel(pulled.entry.path);
    expect(info.labels).toEqual(['red', 'green', 'blue']);
    expect(preprocessing).toMatchObject({
      resize: 10,
      crop: 8,
      mean: [0.5, 0.5, 0.5],
      interpolation: 'bicubic',
    });
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/models/owner/colours/revision/main',
      ...['onnx/model.onnx', 'config.json', 'preprocessor_config.json'].map(
        (path) => `/owner/colours/resolve/${first}/${path}`,
      ),
    ]);
    // One bar: that of the weights.
    expect(events.map(({ kind }) => kind)).toEqual(['started', 'received']);
    expect((await readdir(store.directory)).sort()).toEqual(['.downloads', 'colours']);
    expect(await readdir(join(store.directory, '.downloads'))).toEqual([]);
  });

  it('makes the name that was pulled one that is found', async () => {
    const { entry } = await pull();
    const names = [
      'hf:owner/colours',
      'hf:owner/colours@main',
      `hf:owner/colours@${first}`,
      'hf:owner/colours@1111111',
    ];
    for (const name of names) expect((await store.find(name)).path, name).toBe(entry.path);
    expect((await store.resolve('hf:owner/colours')).path).toBe(entry.path);
    for (const name of ['hf:owner/other', 'hf:owner/colours@v2', 'hf:owner/colours@222'])
      expect(await rejection(store.find(name)), name).toMatchObject({ code: 'model_not_found' });
    expect(await rejection(store.find('hf:owner/colours@v2'))).toMatchObject({
      hint: `Of hf:owner/colours there is ${entry.name}@${entry.version}.\nGet it: visionscale model pull hf:owner/colours@v2`,
    });
  });

  it('takes a branch, a tag or a commit, and another file of it', async () => {
    const { entry } = await pull('hf:owner/colours@refs/pr/1');
    expect(entry.manifest?.source).toContain(`@refs/pr/1 commit ${second} `);
    expect(server.requests[0]?.path).toBe('/api/models/owner/colours/revision/refs%2Fpr%2F1');
    server.repositories['owner/colours']!.commits[third] = published({ 'onnx/model_small.onnx': described });
    const small = await pull(`hf:owner/colours@${third}`, { file: 'onnx/model_small.onnx' });
    expect(small.entry.manifest?.source).toContain(' onnx/model_small.onnx sha256:');
  });

  it('goes on where the connection to the other host was cut', async () => {
    const large = Buffer.from(chanceSqueezeNet(3));
    publish(third, published({ 'onnx/model.onnx': large, 'preprocessor_config.json': text({ size: 224 }) }));
    server.cdn.cuts = [1_000_000];
    expect((await pull()).sha256).toBe(sha256(large));
    const at = Number(/^bytes=(\d+)-$/.exec(server.cdn.requests[1]?.range ?? '')?.[1]);
    expect(at).toBeGreaterThan(0);
    expect(server.cdn.requests[1]?.sent).toBe(large.length - at);
  });

  it.each(catalogue.filter(({ from }) => from.kind === 'hub'))(
    'gets $name of the catalogue from its commit, prepared as the catalogue says',
    async ({ name, from, license, preprocessing }) => {
      if (from.kind !== 'hub') return;
      const sized = Buffer.from(chanceSqueezeNet(3, preprocessing.crop));
      // Without a preprocessor_config.json, as one of them is at its commit.
      const files = { 'config.json': config, [from.file]: sized };
      server.repositories[from.repository] = { commits: { [from.commit]: files }, refs: { main: first } };
      const pulled = await pull(name);
      expect(pulled).toMatchObject({ license, commit: from.commit, entry: { name } });
      expect((await loadModel(pulled.entry.path)).preprocessing).toEqual(preprocessing);
      expect((await store.find(`hf:${from.repository}`)).path).toBe(pulled.entry.path);
    },
  );
});

describe('HF_TOKEN', () => {
  it('opens what is private, and goes to no other host', async () => {
    server.repositories['owner/colours']!.access = 'private';
    const { entry } = await pull(undefined, {}, server.token);
    expect(server.requests.every(({ authorization }) => authorization === `Bearer ${server.token}`)).toBe(
      true,
    );
    expect(server.cdn.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(await readFile(join(entry.path, 'model.json'), 'utf8')).not.toContain('sesame');
  });

  it('is in no error', async () => {
    const told: unknown[] = [await rejection(pull(undefined, {}, 'hf_magic words'))];
    expect(told).toMatchObject([{ code: 'usage' }]);
    const refused = async (name: string, token: string) => {
      const error = await rejection(pull(name, {}, token));
      told.push(error, events);
      return error as { code: string; message: string; hint: string };
    };
    expect(await refused('hf:owner/colours', 'hf_magic')).toMatchObject({
      code: 'hub_refused',
      message: 'the hub does not accept HF_TOKEN for hf:owner/colours',
    });
    await refused('hf:owner/nothing', server.token);
    publish(third, published({ 'onnx/model.onnx': tinyWeights('twoInputs') }));
    await refused('hf:owner/colours', server.token);
    server.cdn.statuses = [403];
    await refused('hf:owner/colours', server.token);
    expect(inspect(told, { depth: 20, showHidden: true })).not.toMatch(/sesame|magic|deadbeef/);
  });
});

describe('HF_ENDPOINT', () => {
  it('may have a slash at its end', async () => {
    const hub = { endpoint: `${server.url}///` };
    expect(await pull(undefined, { hub })).toMatchObject({ commit: first });
  });

  it.each(['mirror', 'ftp://mirror', 'https://me:hunter2@mirror', 'https://mirror/?key=hunter2'])(
    'cannot be %s, and is not repeated',
    async (endpoint) => {
      const error = await rejection(pull(undefined, { hub: { endpoint } }));
      expect(error).toMatchObject({ code: 'usage' });
      expect(inspect(error)).not.toContain('hunter2');
    },
  );
});

describe('a name that was pulled before', () => {
  it('brings the same weights again, or the same model of a commit that changes none of it', async () => {
    const { entry } = await pull();
    expect(await pull()).toMatchObject({ verified: true, entry: { path: entry.path } });
    publish(third, published({ 'README.md': Buffer.from('# a better text') }));
    expect(await pull()).toMatchObject({ verified: true, commit: third, entry: { path: entry.path } });
    expect(await installed()).toEqual([`colours@${sha256(mean).slice(0, 8)}`]);
  });

  it.each([true, false])(
    'is refused where its weights have changed (hub tells checksums: %s), and how to go on',
    async (tells) => {
      server.checksums = tells;
      const { entry } = await pull();
      const asked = server.cdn.requests.length;
      publish(second, published({ 'onnx/model.onnx': leftHalf }));
      const error = (await rejection(pull())) as Error & { code: string; hint: string };
      expect(error).toMatchObject({
        code: 'checksum_mismatch',
        message: `onnx/model.onnx of hf:owner/colours@main has changed since colours@${entry.version} was pulled`,
        hint: expect.stringContaining(`model pull hf:owner/colours@${second}`) as string,
      });
      // Where the hub tells, nothing is downloaded to find it out.
      expect(server.cdn.requests.length - asked).toBe(tells ? 0 : 1);
      expect(await installed()).toHaveLength(1);
      const taken = await pull(`hf:owner/colours@${second}`);
      expect(taken.entry.version).toBe(sha256(leftHalf).slice(0, 8));
      // Now a person has said so.
      expect(await pull()).toMatchObject({ verified: true, entry: { path: taken.entry.path } });
    },
  );

  it('is refused where one commit brings other bytes, or other labels', async () => {
    await pull();
    server.repositories['owner/colours']!.commits[first] = published({ 'onnx/model.onnx': leftHalf });
    expect(await rejection(pull())).toMatchObject({
      code: 'checksum_mismatch',
      message: expect.stringContaining('from the same commit') as string,
    });
    const labels = text({ id2label: { 0: 'blue', 1: 'green', 2: 'red' } });
    server.repositories['owner/colours']!.commits[first] = published({ 'config.json': labels });
    expect(await rejection(pull())).toMatchObject({
      code: 'model_exists',
      message: expect.stringContaining(
        'hf:owner/colours has other labels or another preprocessing now',
      ) as string,
    });
    expect(await installed()).toHaveLength(1);
  });
});

describe('refused, with what to do', () => {
  afterEach(async () => {
    expect(await installed()).toEqual([]);
    const left = await readdir(store.directory).catch(() => []);
    expect(left.filter((name) => name.startsWith('.inst'))).toEqual([]);
  });

  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 9\n`,
  );
  const named: [string, string, HubFiles, Partial<PullOptions>, RegExp, RegExp][] = [
    [
      'no such repository',
      'hf:owner/nothing',
      {},
      {},
      /the hub has no model hf:owner\/nothing/,
      /needs HF_TOKEN/,
    ],
    ['no such revision', 'hf:owner/colours@v9', {}, {}, /has no revision "v9"/, /commits\/main/],
    [
      'no such file',
      'hf:owner/colours',
      {},
      { file: 'onnx/model_fp16.onnx' },
      /has no onnx\/model_fp16\.onnx/,
      /It has onnx\/model\.onnx: choose one with --file/,
    ],
    [
      'weights in another file',
      'hf:owner/colours',
      { 'onnx/model.onnx_data': mean },
      {},
      /keeps its weights in another file \(onnx\/model\.onnx_data\)/,
      /save_as_external_data=False/,
    ],
    [
      'a Git LFS pointer',
      'hf:owner/colours',
      { 'onnx/model.onnx': pointer },
      {},
      /Git LFS pointer/,
      /HF_ENDPOINT/,
    ],
    [
      'a checksum that was given',
      'hf:owner/colours',
      {},
      { sha256: '0'.repeat(64) },
      /has the sha256 [0-9a-f]{64}, not 0{64}/,
      /damaged/,
    ],
    [
      'no classes',
      'hf:owner/colours',
      { 'config.json': text({}) },
      {},
      /config\.json of hf:owner\/colours names no classes/,
      /--labels <file>/,
    ],
    [
      'other classes',
      'hf:owner/colours',
      { 'config.json': text({ id2label: { 0: 'a' } }) },
      {},
      /hf:owner\/colours: the model has 3 classes, but there are 1 labels/,
      /model add <directory>/,
    ],
    [
      'what cannot be prepared',
      'hf:owner/colours',
      { 'preprocessor_config.json': text({ size: 8, resample: 1 }) },
      {},
      /hf:owner\/colours: preprocessor_config\.json .* lanczos/,
      /model add <directory>/,
    ],
    [
      'no model',
      'hf:owner/colours',
      { 'onnx/model.onnx': Buffer.from('nothing') },
      {},
      /hf:owner\/colours: /,
      /./,
    ],
  ];
  it.each(named)('%s', async (_, name, files, options, message, hint) => {
    publish(third, published(files));
    const error = (await rejection(pull(name, options))) as Error & { hint: string };
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(error.message).not.toContain(store.directory);
  });

  it('a repository without an ONNX file says what it has', async () => {
    const { 'onnx/model.onnx': _, ...files } = published({ 'model.safetensors': mean });
    publish(third, files);
    expect(await rejection(pull())).toMatchObject({
      code: 'model_not_found',
      message: 'hf:owner/colours has no ONNX file',
      hint: expect.stringContaining('It has model.safetensors') as string,
    });
    publish(third, { ...files, 'onnx/model_q4.onnx': mean });
    expect(await rejection(pull())).toMatchObject({
      hint: expect.stringContaining('onnx/model_q4.onnx') as string,
    });
  });

  it('a gated one says where its terms are, and that HF_TOKEN is wanted', async () => {
    server.repositories['owner/colours']!.access = 'gated';
    expect(await rejection(pull())).toMatchObject({
      code: 'hub_refused',
      message: 'hf:owner/colours is gated',
      hint: `Accept its terms at ${server.url}/owner/colours, then set HF_TOKEN to a token of your account.`,
    });
  });

  it('what is not what the hub lists: another checksum, or too large', async () => {
    server.listed['onnx/model.onnx'] = { sha256: sha256(leftHalf) };
    expect(await rejection(pull())).toMatchObject({ code: 'checksum_mismatch' });
    server.listed['onnx/model.onnx'] = { size: 2 ** 30 };
    expect(await rejection(pull())).toMatchObject({
      code: 'download_too_large',
      message: 'onnx/model.onnx of hf:owner/colours has 1024 MiB; the limit is 512 MiB',
    });
    expect(server.cdn.requests).toHaveLength(1);
  });

  it('an endpoint that is no hub, and a commit that is another', async () => {
    const hub = { endpoint: server.cdn.url };
    server.cdn.content = Buffer.from('<html>hello</html>');
    expect(await rejection(pull(undefined, { hub }))).toMatchObject({
      code: 'download_failed',
      hint: expect.stringContaining('HF_ENDPOINT') as string,
    });
    server.repositories['owner/colours']!.refs[third] = first;
    expect(await rejection(pull(`hf:owner/colours@${third}`))).toMatchObject({ code: 'download_failed' });
  });

  it.each([
    'hf:',
    'hf:owner',
    'hf:owner/',
    'hf:../x',
    'hf:owner/a/b',
    'hf:owner/..',
    'hf:a/b@',
    'hf:a/b@../c',
    'hf:a/b?x=y',
    'hf:a b/c',
  ])('the name %s', async (name) => {
    expect(await rejection(pull(name))).toMatchObject({ code: 'usage' });
    expect(server.requests).toEqual([]);
  });
});
