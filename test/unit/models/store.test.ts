/** The model store: whole models or none, found by the names people give, and no path out of it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/lib/models/format/model.ts';
import { parseReference } from '../../../src/lib/models/store/entry.ts';
import { type ModelStore, type NewModel, openModelStore } from '../../../src/lib/models/store/store.ts';
import { requireAgreement } from '../../../src/lib/models/store/verify.ts';
import { rejection } from '../../support/images.ts';
import { tinyManifest, tinyWeights, writeTinyModel } from '../../support/tiny-models.ts';

let dir: string;
let store: ModelStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-store-'));
  store = openModelStore(join(dir, 'models'), join(dir, 'bundled'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function tiny(
  changes: Partial<NewModel['manifest']> = {},
  weights: Parameters<typeof tinyWeights>[0] = 'mean',
): NewModel {
  const manifest = {
    ...tinyManifest,
    preprocessing: { resize: 8, crop: 8, mean: [0, 0, 0], std: [1, 1, 1] },
    ...changes,
  } as NewModel['manifest'];
  return { manifest, weights: tinyWeights(weights), labels: ['red', 'green', 'blue'] };
}

describe('use', () => {
  it('makes the directory of a host that has no store yet', async () => {
    const elsewhere = openModelStore(join(dir, 'not', 'there', 'yet'));
    const [bundled] = await elsewhere.list();
    await elsewhere.use(bundled!);
    expect(await elsewhere.active()).toMatchObject({ digest: bundled!.digest });
  });
});

describe('install', () => {
  it('writes everything that loadModel reads, and completes the manifest', async () => {
    const entry = await store.install(
      tiny({ output: 'probabilities', metrics: { top1: 0.5, own: 1 }, engines: ['onnx'] }),
    );
    const loaded = await loadModel(entry.path);
    expect(loaded.info).toEqual({
      name: 'tiny',
      version: '1',
      digest: entry.digest,
      labels: ['red', 'green', 'blue'],
    });
    expect(loaded).toMatchObject({ output: 'probabilities', engines: ['onnx'] });
    expect(entry.manifest).toMatchObject({ inputSize: 8, metrics: { top1: 0.5, own: 1 } });
    expect(Date.parse(entry.manifest!.created!)).toBeGreaterThan(Date.now() - 60_000);
    expect(await readdir(entry.path)).toEqual(['labels.txt', 'model.json', 'model.onnx']);
    expect(await store.list()).toEqual([entry]);
  });

  it('again changes nothing; another model of that name and version is refused', async () => {
    const [first, second] = await Promise.all([store.install(tiny()), store.install(tiny())]);
    expect(second.manifest?.created).toBe(first.manifest?.created);
    await expect(store.install(tiny({}, 'leftHalf'))).rejects.toMatchObject({ code: 'model_exists' });
    const labelled = { ...tiny(), labels: ['a', 'b', 'c'] };
    await expect(store.install(labelled)).rejects.toMatchObject({ code: 'model_exists' });
    expect(await store.list()).toHaveLength(1);
  });

  it('takes the start of the digest where there is no version', async () => {
    const { version: _, ...manifest } = tiny().manifest;
    const entry = await store.install({ ...tiny(), manifest });
    expect(entry.digest).toContain(entry.version);
    expect(entry.version).toHaveLength(12);
  });

  it.each(['../x', 'a/b', '..', '.hidden', '', 'x'.repeat(101), 'a\\b', 'NUL', 'con.txt', 'a\0b', 'é', 'x.'])(
    'refuses the name and the version %j',
    async (name) => {
      await expect(store.install(tiny({ name }))).rejects.toMatchObject({ code: 'usage' });
      await expect(store.install(tiny({ version: name }))).rejects.toMatchObject({ code: 'usage' });
      expect(await readdir(dir)).toEqual([]);
    },
  );

  it('killed at any moment leaves nothing that is listed, and what it left is swept', async () => {
    // What an install by a process that is gone leaves behind.
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const left = join(dir, 'models', `.installing-${pid}-00000000`);
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'model.onnx'), tinyWeights('mean'));
    const running = join(dir, 'models', `.installing-${process.ppid}-00000000`);
    await mkdir(running);
    expect(await store.list()).toEqual([]);
    await store.install(tiny());
    expect(existsSync(left)).toBe(false);
    expect(existsSync(running)).toBe(true);
  });

  it('that cannot write says so and leaves nothing', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(openModelStore(join(dir, 'file')).install(tiny())).rejects.toMatchObject({
      code: 'models_unwritable',
    });
  });
});

describe('resolve', () => {
  it('finds by name, version, digest and path', async () => {
    const old = await store.install(tiny({ version: '9', created: '2026-01-01T00:00:00Z' }));
    const newer = await store.install(tiny({ version: '10', created: '2026-02-01T00:00:00Z' }, 'leftHalf'));
    const path = async (reference: string) => (await store.resolve(reference)).path;
    expect((await store.list()).map(({ version }) => version)).toEqual(['10', '9']);
    expect(await path('tiny')).toBe(newer.path);
    expect(await path('tiny@9')).toBe(old.path);
    expect(await path(old.digest!)).toBe(old.path);
    expect(await path(newer.digest!.slice(0, 13))).toBe(newer.path);
    expect(await path(newer.digest!.slice(7, 17))).toBe(newer.path);
    await store.use(old);
    expect(await path('tiny')).toBe(old.path);
    expect(await path('./tiny')).toBe(join(process.cwd(), 'tiny'));
    expect((await store.resolve('some/model.onnx')).entry).toBeUndefined();
  });

  it('says what there is when it finds nothing', async () => {
    expect(await rejection(store.resolve('squeezenet'))).toMatchObject({
      code: 'model_not_found',
      hint: expect.stringContaining('model pull squeezenet1_1') as string,
    });
    await store.install(tiny());
    expect(await rejection(store.resolve('tiny@2'))).toMatchObject({
      code: 'model_not_found',
      hint: expect.stringContaining('tiny@1') as string,
    });
    await expect(store.find('../tiny/1')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it.each([
    ['a/b', 'path'],
    ['..', 'path'],
    ['x.onnx', 'path'],
    ['C:\\models', 'path'],
    ['a@b@c', 'path'],
    ['name', 'name'],
    ['name@1.0', 'name'],
    ['name@../x', 'path'],
    ['sha256:abcdef', 'digest'],
    ['sha256:abc', 'path'],
  ])('takes %j for a %s', (text, kind) => {
    expect(parseReference(text).kind).toBe(kind);
  });
});

describe('active, remove, bundled', () => {
  it('remembers the active model until it is removed', async () => {
    expect(await store.active()).toBeUndefined();
    const entry = await store.install(tiny());
    await store.use(entry);
    expect((await openModelStore(join(dir, 'models')).active())?.path).toBe(entry.path);
    await store.remove(entry);
    expect(await store.active()).toBeUndefined();
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(dir, 'models'))).toEqual([]);
  });

  it('says when the active model is gone, or the note is not one', async () => {
    const entry = await store.install(tiny());
    await store.use(entry);
    await rm(entry.path, { recursive: true });
    await expect(store.active()).rejects.toMatchObject({ code: 'model_not_found' });
    await writeFile(join(dir, 'models', '.active.json'), '{"name":"../..","version":"etc"}');
    await expect(store.active()).rejects.toMatchObject({ code: 'model_not_found' });
    await writeFile(join(dir, 'models', '.active.json'), 'null');
    await expect(store.active()).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('lists damaged models with what is wrong', async () => {
    const entry = await store.install(tiny());
    await writeFile(join(entry.path, 'model.json'), '{');
    expect((await store.list())[0]).toMatchObject({
      name: 'tiny',
      fault: expect.stringContaining('not JSON') as string,
    });
    await rm(join(entry.path, 'model.onnx'));
    expect((await store.list())[0]?.fault).toContain('model.onnx is missing');
  });

  it('lists what comes with the package, which can be used and not removed', async () => {
    await using model = await writeTinyModel('mean');
    await mkdir(join(dir, 'bundled'));
    const bundled = openModelStore(join(dir, 'models'), join(model.path, '..'));
    const [entry] = (await bundled.list()).filter(({ path }) => path === model.path);
    expect(entry).toMatchObject({ name: 'tiny', version: '1', bundled: true });
    await expect(bundled.remove(entry!)).rejects.toMatchObject({ code: 'model_bundled' });
    await bundled.use(entry!);
    expect(await bundled.active()).toMatchObject({ bundled: true });
  });

  it('refuses a model that agrees too little with its parent', async () => {
    const entry = await store.install(tiny({ metrics: { agreement: 0.89, minAgreement: 0.9 } }));
    expect(() => requireAgreement(entry)).toThrow(/89\.0 %.*less than 90\.0 %/);
    const enough = await store.install(
      tiny({ version: '2', metrics: { agreement: 0.9, minAgreement: 0.9 } }),
    );
    expect(() => requireAgreement(enough)).not.toThrow();
  });
});
