/** Two published models compared over HTTP: as the command compares them, one comparison at a time, apart from requests. */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { type HttpSettings, parseTokens, tokenEntry } from '../../src/lib/config/http.ts';
import { comparePublished } from '../../src/lib/learning/evaluate/compare-published.ts';
import { compareModels } from '../../src/lib/learning/evaluate/compare.ts';
import { recommend } from '../../src/lib/learning/evaluate/recommend.ts';
import { openClassifier } from '../../src/lib/models/classifier/pool.ts';
import { loadModel, type LoadedModel } from '../../src/lib/models/format/model.ts';
import { openImagesApart } from '../../src/lib/models/images/apart.ts';
import { publishModel, weightsKey } from '../../src/lib/models/store/pipeline-model.ts';
import { newToken } from '../../src/lib/pipeline/serve/admission/access.ts';
import type { CompareModels, ComparisonResult } from '../../src/lib/pipeline/serve/context.ts';
import * as schemas from '../../src/lib/pipeline/serve/schemas/comparisons.ts';
import { saveCorrections } from '../../src/lib/systems/database/tables/corrections.ts';
import { colouredPng, type Folders, openFolders } from '../support/class-folders.ts';
import { colors, writeColorModel } from '../support/color-model.ts';
import { type Opened, pipeline, type Served, served } from '../support/served.ts';

type Comparison = z.infer<typeof schemas.comparison>;

/** What the three outputs of the same network are called. */
const networks = {
  good: colors,
  poor: ['green', 'red', 'blue'],
  other: ['red', 'green', 'violet'],
};
const limits = { maxBytes: 2_000_000, maxPixels: 1e6 };
/** So many that there are groups enough to tell one model from the other; of these, so many on the belt south. */
const [perColor, perSouth] = [32, 4];

let world: Served;
let main: Opened;
let folders: Folders;
const models = {} as Record<keyof typeof networks, LoadedModel>;
const looking = openImagesApart(limits);
const open = (model: LoadedModel) => openClassifier({ model, engine: 'auto', workers: 1 });

const put = (key: string, body: Buffer) => world.store.put(key, body, { contentType: 'image/png' });

beforeAll(async () => {
  world = await served();
  const { pool, store } = world;
  main = await world.open(
    {},
    {
      compare: (wanted, how) =>
        comparePublished({ pool, store, looking, open, pipeline, limits }, wanted, how),
    },
  );
  folders = await openFolders();
  for (const name of Object.keys(networks) as (keyof typeof networks)[]) {
    models[name] = await loadModel(writeColorModel(join(folders.path, 'models', name), name, networks[name]));
    await publishModel(world, models[name]);
  }
  const corrections: { imageKey: string; label: string }[] = [];
  for (const label of colors) {
    for (let n = 0; n < perColor; n++) {
      const [imageKey, picture] = [
        `${label}-${'abcdefgh'[n % 8]}${'jkmp'[n >> 3]}.png`,
        await colouredPng(label, n),
      ];
      await put(imageKey, picture);
      await folders.write(`labelled/${label}/${imageKey}`, picture);
      await world.predict(imageKey, { imageKey, belt: n === 0 ? 'north' : n <= perSouth ? 'south' : 'east' });
      corrections.push({ imageKey, label });
    }
  }
  await saveCorrections(pool, pipeline, 'anna', corrections);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await folders?.[Symbol.asyncDispose]();
  await looking[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

async function ask(path: string, init: RequestInit = {}, server = main): Promise<Answer> {
  const { status, headers, ...response } = await fetch(server.url + path, init).then(async (found) => ({
    status: found.status,
    headers: found.headers,
    text: await found.text(),
  }));
  return { status, headers, body: JSON.parse(response.text || 'null') as Record<string, unknown> };
}

const post = (body: unknown, { server = main, token }: { server?: Opened; token?: string } = {}) => {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { 'content-type': 'application/json', ...authorization };
  return ask('/v1/models/compare', { method: 'POST', body: JSON.stringify(body), headers }, server);
};

type Names = [keyof typeof networks, keyof typeof networks];
const digestsOf = (names: Names) => names.map((name) => models[name].info.digest);

async function ended(location: string, server = main): Promise<Comparison> {
  for (;;) {
    const { status, body } = await ask(location, {}, server);
    expect([status, schemas.comparison.parse(body)]).toEqual([200, body]);
    const found = body as Comparison;
    if (found.state !== 'running') return found;
    await nextTurn(20);
  }
}

async function compared(names: Names, more: object = {}): Promise<ComparisonResult> {
  const begun = await post({ models: digestsOf(names), ...more });
  expect(begun).toMatchObject({ status: 202, body: { state: 'running', result: null } });
  const found = await ended(begun.headers.get('location')!);
  expect(found.failure).toBeNull();
  return found.result!;
}

describe('a comparison', () => {
  it('says what `model compare` says on the same images', async () => {
    const found = await compared(['poor', 'good']);
    const told = await compareModels({
      dir: join(folders.path, 'labelled'),
      models: [models.poor, models.good],
      open,
      limits,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    const { because, model } = recommend(told);
    expect(found.labelled).toEqual({ images: told.images, groups: told.groups, leftOut: [] });
    expect(found.models.map(({ top1, interval95, behind }) => ({ top1, interval95, behind }))).toEqual(
      told.models.map(({ judgement, interval95, behind = null }) => ({
        top1: judgement.metrics.top1,
        interval95,
        behind,
      })),
    );
    expect(found.verdict).toEqual({
      digest: model!.judgement.model.digest,
      because,
      words: expect.stringMatching(
        /^Take good: 66\.7 points \([\d.]+ to [\d.]+\) better than poor, /,
      ) as string,
    });
    expect(because).toBe('better');
    expect(found.models.map(({ top1, onlyRight, unknown }) => [top1, onlyRight, unknown])).toEqual([
      [1 / 3, 0, null],
      [1, 2 * perColor, null],
    ]);
    for (const { ms } of found.models) expect(ms).toBeGreaterThan(0);
    expect(found.differ).toHaveLength(50);
  });

  it('takes in the latest images without a label, and names those that cannot be used', async () => {
    for (const [n, key] of ['plain-red.png', 'plain-blue.png', 'gone.png', 'text.png'].entries())
      await world.predict(`plain ${n}`, { imageKey: key, belt: 'south' });
    await put('plain-red.png', await colouredPng('red', 100));
    await put('plain-blue.png', await colouredPng('blue', 101));
    await put('text.png', Buffer.from('no image'));
    const found = await compared(['poor', 'good'], { belt: 'south' });
    const images = 3 * perSouth + 2;
    expect(found).toMatchObject({ images, agree: perSouth + 1, labelled: { images: 3 * perSouth } });
    expect(found.unusable.count).toBe(2);
    expect(Object.fromEntries(found.unusable.some.map(({ imageKey, reason }) => [imageKey, reason]))).toEqual(
      {
        'gone.png': 'it is not in the store',
        'text.png': expect.stringMatching(/image/) as string,
      },
    );
    expect(found.differ).toHaveLength(2 * perSouth + 1);
    expect(found.differ[0]).toEqual({
      imageKey: expect.stringMatching(/^(red|green)-/) as string,
      label: expect.stringMatching(/^(red|green)$/) as string,
      said: [
        expect.objectContaining({ right: false, unknown: false }) as object,
        expect.objectContaining({ right: true }) as object,
      ],
    });
    const [poor, good] = found.differ.at(-1)!.said;
    expect(found.differ.at(-1)).toMatchObject({ imageKey: 'plain-red.png', label: null });
    expect([poor!.category, poor!.right, good!.category]).toEqual(['green', null, 'red']);
  });

  it('takes as many as are wanted, of one belt', async () => {
    const north = await compared(['poor', 'good'], { belt: 'north' });
    expect(north).toMatchObject({ images: 3, labelled: { images: 3 }, unusable: { count: 0 } });
    expect(north.verdict?.because).toBe('too early');
    expect((await compared(['poor', 'good'], { belt: 'south', images: 4 })).images).toBe(4);
  });

  it('of models with other classes counts those that both have, and shows the rest', async () => {
    const found = await compared(['good', 'other'], { belt: 'south' });
    expect(found.labelled).toMatchObject({
      images: 2 * perSouth,
      leftOut: [{ label: 'blue', images: perSouth }],
    });
    expect(found.models.map(({ top1 }) => top1)).toEqual([1, 1]);
    expect(
      found.differ.map(({ label, said }) => [label, said.map(({ category }) => category)]),
    ).toContainEqual(['blue', ['blue', 'violet']]);
  });

  it('does not take a label for an image that was replaced since', async () => {
    const { pool } = world;
    await put('replaced.png', await colouredPng('green', 200));
    await world.predict('replaced', { imageKey: 'replaced.png', belt: 'west' });
    await saveCorrections(pool, pipeline, 'anna', [
      { imageKey: 'replaced.png', label: 'red', sha256: '0'.repeat(64) },
    ]);
    expect(await compared(['poor', 'good'], { belt: 'west' })).toMatchObject({
      images: 1,
      labelled: { images: 0 },
      models: [{ top1: null }, { top1: null }],
      verdict: null,
      differ: [{ imageKey: 'replaced.png', label: null }],
    });
  });

  it('that cannot be made says why', async () => {
    const none = await post({ models: digestsOf(['poor', 'good']), belt: 'nowhere' });
    expect((await ended(none.headers.get('location')!)).failure).toMatchObject({ code: 'no_images' });
    await world.store.remove(weightsKey(models.other.info.digest));
    const away = await post({ models: digestsOf(['good', 'other']) });
    expect(await ended(away.headers.get('location')!)).toMatchObject({
      state: 'failed',
      result: null,
      failure: {
        code: 'model_not_published',
        detail: expect.stringMatching(/^the weights of other@/) as string,
      },
    });
  });
});

describe('a classifier in the background', () => {
  it('leaves the processors to others', async () => {
    await using classifier = await openClassifier({
      model: models.good,
      engine: 'auto',
      workers: 1,
      background: true,
    });
    await classifier.classify(await colouredPng('red', 1));
    const threads = readdirSync('/proc/self/task');
    const children = threads.flatMap(
      (id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8').match(/\d+/g) ?? [],
    );
    expect(children.map((pid) => getPriority(Number(pid)))).toContain(10);
  });
});

describe('comparisons', () => {
  /** A server whose comparison ends when the test says so. */
  async function held(http: Partial<HttpSettings> = {}) {
    const calls: { how: Parameters<CompareModels>[1]; fail: (error: Error) => void; failed: Error | null }[] =
      [];
    const compare: CompareModels = (_wanted, how) =>
      new Promise((_resolve, reject) => {
        const call = {
          how,
          failed: null as Error | null,
          fail: (error: Error) => reject((call.failed = error)),
        };
        how.signal.addEventListener('abort', () => call.fail(how.signal.reason as Error));
        calls.push(call);
      });
    return { server: await world.open(http, { compare }), calls };
  }
  const wanted = () => ({ models: digestsOf(['poor', 'good']) });

  it('are refused where they name what is not there, or too much', async () => {
    const [digest] = digestsOf(['good', 'poor']);
    const absent = `sha256:${'0'.repeat(64)}`;
    const refusals: [unknown, number, string][] = [
      [{ models: [digest, absent] }, 404, 'model_not_published'],
      [{ models: [digest, digest] }, 400, 'two different models'],
      [{ models: [digest] }, 400, 'models'],
      [{ ...wanted(), images: 501 }, 400, 'images'],
      [{ ...wanted(), images: 0 }, 400, 'images'],
      [{ ...wanted(), belt: '' }, 400, 'belt'],
      [{ ...wanted(), more: 1 }, 400, 'more'],
    ];
    for (const [body, status, about] of refusals) {
      const refused = await post(body);
      expect([refused.status, JSON.stringify(refused.body)]).toEqual([
        status,
        expect.stringContaining(about) as string,
      ]);
    }
    expect((await ask('/v1/models/compare/none')).status).toBe(404);
    expect((await ask('/v1/models/compare')).status).toBe(405);
  });

  it('run one after the other; how far one is, and what it found, everybody may see', async () => {
    const { server, calls } = await held();
    const first = await post(wanted(), { server });
    const location = first.headers.get('location')!;
    const busy = await post(wanted(), { server });
    expect(schemas.comparisonRuns.parse(busy.body)).toEqual(busy.body);
    expect(busy).toMatchObject({ status: 429, body: { code: 'busy', comparison: first.body['id'] } });
    expect(busy.headers.get('retry-after')).toBe('5');
    calls[0]!.how.onProgress({ stage: 'comparing', done: 7, of: 20 });
    expect((await ask(location, {}, server)).body['progress']).toEqual({
      stage: 'comparing',
      done: 7,
      of: 20,
    });
    calls[0]!.fail(new VisionscaleError('it is odd', { code: 'model_invalid', hint: 'Mend it.' }));
    expect((await ended(location, server)).failure).toEqual({
      code: 'model_invalid',
      detail: 'it is odd',
      hint: 'Mend it.',
    });
    // The eighth after it takes its place.
    for (let n = 1; n <= 8; n++) {
      expect((await ask(location, {}, server)).status).toBe(200);
      const next = await post(wanted(), { server });
      calls[n]!.fail(new Error('the password is 1234'));
      const { failure } = await ended(next.headers.get('location')!, server);
      expect(failure).toMatchObject({
        code: 'internal',
        detail: expect.not.stringContaining('1234') as string,
      });
    }
    expect((await ask(location, {}, server)).status).toBe(404);
    expect(world.events).toContainEqual(expect.objectContaining({ kind: 'failed', code: 'internal' }));
    expect(world.events).toContainEqual(expect.objectContaining({ kind: 'comparing', images: 100 }));
  });

  it('end with the server, which waits for that', async () => {
    const { server, calls } = await held();
    await post(wanted(), { server });
    await server.close();
    expect(calls[0]!.failed?.name).toBe('AbortError');
  });

  it('need the right to operate, and to look the right to read', async () => {
    const [reader, anna] = [newToken(), newToken()];
    const tokens = parseTokens([tokenEntry('r', reader, 'read'), tokenEntry('anna', anna, 'operate')].join());
    const { server } = await held({ tokens });
    expect((await post(wanted(), { server })).status).toBe(401);
    expect((await post(wanted(), { server, token: reader })).status).toBe(403);
    const begun = await post(wanted(), { server, token: anna });
    expect(begun.status).toBe(202);
    const location = begun.headers.get('location')!;
    expect((await ask(location, {}, server)).status).toBe(401);
    const seen = await ask(location, { headers: { authorization: `Bearer ${reader}` } }, server);
    expect(seen.status).toBe(200);
    expect(world.events).toContainEqual(expect.objectContaining({ kind: 'comparing', by: 'anna (token)' }));
  });
});
