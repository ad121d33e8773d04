/** Models switched and bins edited over HTTP: as safe as the commands. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { parseTokens, tokenEntry } from '../../src/lib/config/http.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { publishModel, weightsKey } from '../../src/lib/models/store/pipeline-model.ts';
import { newToken } from '../../src/lib/pipeline/serve/admission/access.ts';
import { binHistory, triedBins } from '../../src/lib/pipeline/serve/schemas/bins.ts';
import * as schemas from '../../src/lib/pipeline/serve/schemas/models.ts';
import { colors, writeColorModel } from '../support/color-model.ts';
import { type Opened, type Served, served } from '../support/served.ts';

let world: Served;
let main: Opened;
let dir: string;
const digests: Record<string, string> = {};

beforeAll(async () => {
  world = await served();
  main = await world.open();
  dir = mkdtempSync(join(tmpdir(), 'visionscale models '));
  for (const [name, labels] of Object.entries({ english: colors, german: ['red', 'grün', 'blau'] })) {
    const model = await loadModel(writeColorModel(join(dir, name), name, labels));
    await publishModel(world, model);
    digests[name] = model.info.digest;
  }
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  if (dir) rmSync(dir, { recursive: true });
});

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function ask(path: string, init: RequestInit = {}, server = main): Promise<Answer> {
  const response = await fetch(server.url + path, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const act = (path: string, body: unknown, headers: Record<string, string> = {}, server = main) =>
  ask(
    path,
    {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    },
    server,
  );
const strictly = <T extends z.ZodType>(schema: T, value: unknown): z.infer<T> => {
  const parsed = schema.parse(value);
  expect(parsed).toEqual(value);
  return parsed;
};
const use = (name: string, more: object = {}) => act('/v1/models/use', { digest: digests[name], ...more });

describe('a switch of the model', () => {
  it('says what it changes, and changes it when it is confirmed', async () => {
    expect(await use('english')).toMatchObject({
      status: 409,
      body: { code: 'unconfirmed', change: { before: null } },
    });
    expect(await use('english', { confirm: true })).toMatchObject({ status: 200, body: { name: 'english' } });
    const asked = await use('german');
    expect(asked.status).toBe(409);
    const { change } = strictly(schemas.unconfirmed, asked.body);
    expect(change).toMatchObject({
      before: { name: 'english', labels: 3, top1: null },
      after: { name: 'german' },
      labels: { removed: { count: 2, some: ['green', 'blue'] }, added: { some: ['grün', 'blau'] } },
      force: [],
    });
    const list = strictly(schemas.publishedModels, (await ask('/v1/models')).body);
    expect(list.models.map(({ name, usedBy }) => [name, usedBy])).toEqual([
      ['german', []],
      ['english', [null]],
    ]);
  });

  it('of a belt leaves the others, is rolled back, and history tells all of it', async () => {
    expect(await use('german', { belt: 'north', confirm: true })).toMatchObject({
      status: 200,
      body: { name: 'german', belt: 'north' },
    });
    const list = strictly(schemas.publishedModels, (await ask('/v1/models')).body);
    expect(list.belts).toEqual(['north']);
    expect(list.models.map(({ usedBy }) => usedBy)).toEqual([['north'], [null]]);
    expect((await act('/v1/models/rollback', { belt: 'north' })).body).toMatchObject({
      change: { after: { name: 'english' }, before: { name: 'german' } },
    });
    await act('/v1/models/rollback', { belt: 'north', confirm: true });
    const { switches } = strictly(schemas.modelHistory, (await ask('/v1/models/history')).body);
    expect(switches.map(({ belt, current }) => [belt, current?.split('@')[0]])).toEqual([
      ['north', undefined],
      ['north', 'german'],
      [null, 'english'],
    ]);
    expect(await act('/v1/models/rollback', { confirm: true })).toMatchObject({
      status: 409,
      body: { code: 'no_former' },
    });
  });

  it('to labels that the bins lack has to be forced', async () => {
    await act('/v1/bins/use', { rules: '{"bins": {"left": ["green"]}}', source: 'a', version: null });
    expect((await use('german', { confirm: true })).body).toMatchObject({
      code: 'unconfirmed',
      change: { force: [expect.stringContaining('the model has no label "green"')] },
    });
    expect((await use('german', { confirm: true, force: true })).status).toBe(200);
    expect((await act('/v1/models/rollback', { confirm: true })).status).toBe(200);
  });

  it('to what is not there, or is damaged, is refused', async () => {
    const away = `sha256:${'0'.repeat(64)}`;
    expect(await act('/v1/models/use', { digest: away, confirm: true })).toMatchObject({
      status: 404,
      body: { code: 'model_not_published' },
    });
    expect((await act('/v1/models/use', { digest: null, confirm: true })).status).toBe(400);
    expect((await act('/v1/models/use', { digest: 'english' })).status).toBe(400);
    const key = weightsKey(digests['german']!);
    await world.store.put(key, Buffer.from('damaged'), { contentType: 'application/octet-stream' });
    const how = { confirm: true, force: true };
    expect(await use('german', how)).toMatchObject({ status: 422, body: { code: 'model_invalid' } });
    await world.store.remove(key);
    expect(await use('german', how)).toMatchObject({ status: 409, body: { code: 'model_not_published' } });
    const list = schemas.publishedModels.parse((await ask('/v1/models')).body);
    expect(list.models.find(({ name }) => name === 'english')!.usedBy).toEqual([null]);
  });
});

describe('bins', () => {
  const rules = (left: string[], right: string[]) => JSON.stringify({ bins: { left, right } });
  const inForce = async () => (await ask('/v1/bins')).body as { version: number; text: string };

  it('are tried on results that are there, and nothing changes', async () => {
    for (const [n, category] of ['red', 'red', 'green', 'blue'].entries())
      await world.predict(`tried ${n}`, { category });
    const { version } = await inForce();
    const tried = strictly(
      triedBins,
      (await act('/v1/bins/try', { rules: rules(['red', 'green'], ['bleu']) })).body,
    );
    expect(tried).toMatchObject({
      version,
      checked: true,
      faults: ['right: the model has no label "bleu" (did you mean "blue"?)'],
      results: 4,
      bins: [
        { bin: 'left', now: 1, then: 3 },
        { bin: 'manual', now: 3, then: 1 },
      ],
      moves: [{ from: 'manual', to: 'left', results: 2 }],
    });
    expect(tried.moves[0]!.examples).toHaveLength(2);
    expect(tried.moves[0]!.examples[0]).toEqual({
      id: expect.stringMatching(/^tried/) as string,
      imageKey: 'k',
      category: 'red',
    });
    expect((await inForce()).version).toBe(version);
  });

  it('come into force in place of those that were edited, and are taken back', async () => {
    const { version } = await inForce();
    const good = { rules: rules(['red', 'green'], ['blue']), source: 'page' };
    expect(await act('/v1/bins/use', { ...good, version: version + 1 })).toMatchObject({
      status: 409,
      body: { code: 'bins_changed' },
    });
    expect(await act('/v1/bins/use', { ...good, rules: rules(['rot'], ['blue']), version })).toMatchObject({
      status: 409,
      body: { code: 'bins_unknown_labels' },
    });
    const used = await act('/v1/bins/use', { ...good, version });
    expect(used).toMatchObject({ status: 200, body: { version: version + 1, former: version } });
    // The text is what is in force.
    const { text } = await inForce();
    expect((await act('/v1/bins/try', { rules: text })).body).toMatchObject({ moves: [] });
    expect((await act('/v1/bins/rollback', { version })).status).toBe(409);
    expect(await act('/v1/bins/rollback', { version: version + 1 })).toMatchObject({
      status: 200,
      body: { version },
    });
    const { switches } = strictly(binHistory, (await ask('/v1/bins/history')).body);
    expect(switches.map(({ current }) => current).slice(0, 2)).toEqual([version, version + 1]);
  });

  it('that cannot be read, or are too many, are refused with every fault', async () => {
    const { status, body } = await act('/v1/bins/try', { rules: 'bins: {a: [x], b: [x]}\nmanul: q' });
    expect([status, body['code'], body['detail']]).toEqual([
      400,
      'bins_invalid',
      expect.stringContaining('did you mean manual?'),
    ]);
    const many = Array.from({ length: 2001 }, (_, n) => `c${n}`);
    expect((await act('/v1/bins/try', { rules: rules(many, ['x']) })).status).toBe(413);
    expect((await act('/v1/bins/try', { rules: ' '.repeat(65 * 1024) })).status).toBe(400);
  });
});

describe('a token', () => {
  it('that may not operate may only look, and one that may is named by the history', async () => {
    const [reader, anna] = [newToken(), newToken()];
    const tokens = parseTokens([tokenEntry('r', reader, 'read'), tokenEntry('anna', anna, 'operate')].join());
    const server = await world.open({ tokens });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    for (const path of ['/v1/models', '/v1/models/history', '/v1/bins/history']) {
      expect((await ask(path, {}, server)).status).toBe(401);
      expect((await ask(path, { headers: as(reader) }, server)).status).toBe(200);
    }
    for (const path of ['models/use', 'models/rollback', 'bins/try', 'bins/use', 'bins/rollback'])
      expect((await act(`/v1/${path}`, {}, as(reader), server)).status).toBe(403);
    const belt = { digest: digests['english'], belt: 'south', confirm: true };
    expect((await act('/v1/models/use', belt, as(anna), server)).status).toBe(200);
    const history = await ask('/v1/models/history', { headers: as(reader) }, server);
    const { switches } = schemas.modelHistory.parse(history.body);
    expect(switches[0]).toMatchObject({ belt: 'south', account: 'anna (token)' });
  });
});
