/** What the live page asks the HTTP server for, and what it may do there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ZodType } from 'zod';
import { parseTokens, type TokenRole, tokenEntry } from '../../src/lib/config/http.ts';
import { newToken } from '../../src/lib/pipeline/serve/admission/access.ts';
import { binCounts } from '../../src/lib/pipeline/serve/schemas/bins.ts';
import { letterPage } from '../../src/lib/pipeline/serve/schemas/dead-letters.ts';
import * as schemas from '../../src/lib/pipeline/serve/schemas/labelling.ts';
import {
  activity,
  awayProblem,
  belts,
  rights,
  status as statusShape,
} from '../../src/lib/pipeline/serve/schemas/overview.ts';
import type { Away } from '../../src/lib/pipeline/server-watch.ts';
import { unsurePredictions } from '../../src/lib/systems/database/tables/predictions.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { plainJpeg } from '../support/images.ts';
import { type Opened, pipeline, type Served, served } from '../support/served.ts';

let world: Served;
let main: Opened;

beforeAll(async () => {
  world = await served();
  main = await world.open();
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

async function ask(
  path: string,
  { server = main, ...init }: RequestInit & { server?: Opened } = {},
): Promise<Answer> {
  const { status, headers, ...response } = await fetch(server.url + path, init).then(async (found) => ({
    status: found.status,
    headers: found.headers,
    text: await found.text(),
  }));
  return { status, headers, body: JSON.parse(response.text || 'null') as Record<string, unknown> };
}

function act(
  path: string,
  body: unknown,
  more: { server?: Opened; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return ask(path, {
    ...more,
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...more.headers },
  });
}

const patience = { timeout: 30_000 };
const strictly = (schema: ZodType, value: unknown) => expect(schema.parse(value)).toEqual(value);

/** A letter of an image; returns its id. */
async function letter(requestId: string, code = 'corrupt'): Promise<number> {
  await world.bury(requestId, code);
  const { rows } = await world.pool.query<{ id: number }>(
    'select id from dead_letters where request_id = $1',
    [requestId],
  );
  return rows[0]!.id;
}

describe('the status', () => {
  it('is that of `status`, asked once for all who look', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => ask('/v1/status')));
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      strictly(statusShape, body);
      expect(body).toEqual(answers[0]!.body);
    }
    expect(answers[0]!.body).toMatchObject({
      pipeline,
      servers: { database: { reachable: true }, topic: { reachable: true }, store: { reachable: true } },
    });
  });
});

describe('activity', () => {
  it('counts results and dead letters in spans without gaps', async () => {
    await world.predict('active 1');
    await world.predict('active 2');
    await letter('active 3');
    const { body } = await ask('/v1/activity');
    strictly(activity, body);
    const { seconds, points } = activity.parse(body);
    expect([seconds, points.length]).toEqual([5, 180]);
    expect(points.every(({ at }, n) => at === points[0]!.at + 5 * n)).toBe(true);
    const sum = (of: 'done' | 'failed') => points.reduce((all, point) => all + point[of], 0);
    expect([sum('done'), sum('failed')]).toEqual([2, 1]);
    expect(points.find(({ done }) => done > 0)).toMatchObject({ latencyP50: 12.5, latencyP99: 12.5 });
    const day = activity.parse((await ask('/v1/activity?window=24h')).body);
    expect([day.seconds, day.points.length]).toEqual([300, 288]);
    expect(await ask('/v1/activity?window=year')).toMatchObject({ status: 400 });
  });

  it('has what waits in the topic, as `status` counts it, though nobody has looked before', async () => {
    const text = (value: string) => ({ key: Buffer.from(value), value: Buffer.from(value), headers: {} });
    await world.producer.send(['w1', 'w2', 'w3'].map(text));
    const server = await world.open({}, {}, undefined, { deadlineMs: 700 });
    const lag = statusShape
      .parse((await ask('/v1/status', { server })).body)
      .partitions.reduce((sum, one) => sum + (one.lag ?? 0), 0);
    expect(lag).toBeGreaterThanOrEqual(3);
    for (const window of ['15m', '24h']) {
      await expect
        .poll(async () => {
          const { body } = await ask(`/v1/activity?window=${window}`, { server });
          strictly(activity, body);
          const { points, partitions, deadlineMs } = activity.parse(body);
          const lines = partitions.map(({ waiting }) => waiting.findLast((one) => one !== null) ?? 0);
          return [
            points.findLast(({ waiting }) => waiting !== null)?.waiting,
            lines.length,
            lines.reduce((sum, one) => sum + one, 0),
            deadlineMs,
          ];
        }, patience)
        .toEqual([lag, 3, lag, 700]);
    }
  });

  it('tells the time at work apart from the time in the queue', async () => {
    await world.predict('timed');
    await world.pool.query(
      `update prediction_results set latency_ms = 250, bin_reason = 'missed_deadline', time = now() - interval '200 s',
         stages = '{"fetch":10,"decode":20,"preprocess":5,"infer":15}' where request_id = 'timed'`,
    );
    const { points } = activity.parse((await ask('/v1/activity', { server: await world.open() })).body);
    expect(points.find(({ late }) => late === 1)).toMatchObject({
      ...{ done: 1, latencyP50: 250, workP50: 50, waitP50: 200 },
    });
  });

  it('by bin tells why', async () => {
    await world.predict('binned', { bin: 'left' });
    const { body } = await ask('/v1/bins/counts');
    strictly(binCounts, body);
    expect(body['bins']).toContainEqual({ bin: 'left', reason: null, results: 1 });
  });
});

describe('belts', () => {
  it('of the last 15 minutes are counted, the busiest first, with the models of their own', async () => {
    const server = await world.open();
    for (let n = 0; n < 120; n++) await world.predict(`many ${n}`, { belt: `belt ${n}` });
    await world.predict('n1', { belt: 'north', novelty: 1.2 });
    await world.predict('n2', { belt: 'north', novelty: 0.2 });
    await world.predict('old', { belt: 'old' });
    await world.pool.query(
      `update prediction_results set time = now() - interval '20 min' where request_id = 'old'`,
    );
    const digest = `sha256:${'a'.repeat(64)}`;
    await world.pool.query(
      `insert into models (digest, name, version, manifest, bytes) values ($1, 'parts', '2', '{}', 1)`,
      [digest],
    );
    await world.pool.query(`insert into belt_models (pipeline, belt, digest) values ($1, 'north', $2)`, [
      ...[pipeline, digest],
    ]);
    const { status, body } = await ask('/v1/belts', { server });
    expect(status).toBe(200);
    strictly(belts, body);
    const found = belts.parse(body);
    expect(found.minutes).toBe(15);
    expect(found.belts).toHaveLength(100);
    expect(found.others).toBeGreaterThanOrEqual(21);
    expect(found.belts.find(({ belt }) => belt === 'north')).toMatchObject({
      ...{ images: 2, unknown: 1, late: 0, latencyP50: 12.5, model: { name: 'parts', version: '2', digest } },
    });
    // Its model does not tell, and without a belt there are results too.
    expect(found.belts.find(({ belt }) => belt?.startsWith('belt'))).toMatchObject({
      ...{ images: 1, unknown: null, model: null },
    });
    expect(found.belts.some(({ belt }) => belt === null)).toBe(true);
    expect(found.belts.some(({ belt }) => belt === 'old')).toBe(false);
    expect(found.belts.map(({ images }) => images)).toEqual(
      found.belts.map(({ images }) => images).toSorted((a, b) => b - a),
    );
    expect((await ask('/v1/belts', { server, method: 'POST' })).status).toBe(405);
  });
});

describe('servers that are away', () => {
  const since = new Date('2026-11-28T03:12:05Z');
  const gone = (server: Away['server'], reason: string): Away => ({ server, reason, since });

  it('are told with their time; nobody waits for the database', async () => {
    const servers = { away: [gone('store', 'refused'), gone('database', 'no answer')] };
    const server = await world.open({}, { servers });
    for (const path of ['/v1/status', '/v1/activity', '/v1/belts', '/v1/bins/counts']) {
      const { status, headers, body } = await ask(path, { server });
      expect([status, headers.get('retry-after')]).toEqual([503, '2']);
      strictly(awayProblem, body);
      expect(body).toMatchObject({
        code: 'database_unreachable',
        away: [
          { server: 'store', reason: 'refused', since: since.toISOString() },
          { server: 'database', reason: 'no answer', since: since.toISOString() },
        ],
      });
    }
    servers.away = [];
    const { status, body } = await ask('/v1/status', { server });
    expect([status, body['away']]).toEqual([200, []]);
  });

  it('that keep the topic are not asked for it', async () => {
    const topic = {
      name: 'images',
      partitions: () => new Promise<never>(() => undefined),
    } as unknown as Topic;
    const servers = { away: [gone('topic', 'all brokers are down')] };
    const server = await world.open({}, { servers, topic });
    const { status, body } = await ask('/v1/status', { server });
    expect(status).toBe(200);
    strictly(statusShape, body);
    expect(body).toMatchObject({
      servers: { topic: { reachable: false, reason: 'all brokers are down' } },
      away: [{ server: 'topic', since: since.toISOString() }],
      verdict: { ok: false, kind: 'topic_away', command: 'visionscale doctor' },
    });
  });
});

describe('a picture', () => {
  const picture = (key: string, more = '') =>
    fetch(`${main.url}/v1/picture?key=${encodeURIComponent(key)}${more}`);

  it('is a small JPEG of an image that the pipeline knows', async () => {
    await world.store.put('k', await plainJpeg('red', 400), { contentType: 'image/jpeg' });
    await world.predict('pictured');
    const found = await picture('k');
    expect([found.status, found.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    const bytes = Buffer.from(await found.arrayBuffer());
    expect(bytes.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    // The second time it is what was made before.
    await world.store.remove('k');
    expect(Buffer.from(await (await picture('k')).arrayBuffer())).toEqual(bytes);
    expect((await picture('k', '&side=1024')).status).toBe(404);
  });

  it('is of nothing else that is in the store', async () => {
    for (const key of ['other.jpg', '.visionscale/models/x.onnx']) {
      await world.store.put(key, await plainJpeg('blue'), { contentType: 'image/jpeg' });
      expect((await picture(key)).status).toBe(404);
    }
    expect((await picture('../k')).status).toBe(404);
    expect((await picture('k', '&side=100000')).status).toBe(400);
  });

  it('of what is no image says so', async () => {
    await world.store.put('broken.jpg', Buffer.from('no image'), { contentType: 'image/jpeg' });
    await world.pool.query("insert into image_info (image_key) values ('broken.jpg')");
    expect((await picture('broken.jpg')).status).toBe(422);
  });
});

describe('dead letters', () => {
  it('come in pages, with how many are open of each code', async () => {
    const ids = [
      await letter('d1', 'too_slow'),
      await letter('d2', 'too_slow'),
      await letter('d3', 'not_found'),
    ];
    const first = await ask('/v1/dead-letters?limit=2');
    strictly(letterPage, first.body);
    const page = letterPage.parse(first.body);
    expect(page.letters.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(page.open).toMatchObject({ too_slow: 2, not_found: 1 });
    const second = letterPage.parse((await ask(`/v1/dead-letters?limit=2&before=${page.next}`)).body);
    expect(second.letters[0]!.id).toBe(ids[0]);
    const slow = letterPage.parse((await ask('/v1/dead-letters?code=too_slow')).body);
    expect(slow.letters).toHaveLength(2);
  });

  it('are sent again or dropped, once', async () => {
    const [again, gone] = [await letter('r1'), await letter('r2')];
    const before = (await world.messages()).length;
    expect(await act('/v1/dead-letters/retry', { ids: [again] })).toMatchObject({
      status: 200,
      body: { retried: 1, refused: 0 },
    });
    expect(await world.messages()).toHaveLength(before + 1);
    for (const dropped of [1, 0])
      expect((await act('/v1/dead-letters/drop', { ids: [gone] })).body).toEqual({ dropped });
    expect(await act('/v1/dead-letters/drop', { ids: [987_654_321] })).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
  });

  it('are not touched by what is no request for it', async () => {
    const id = await letter('r3');
    const body = JSON.stringify({ ids: [id] });
    const post = (init: RequestInit) => ask('/v1/dead-letters/drop', { method: 'POST', ...init });
    const json = { 'content-type': 'application/json' };
    expect(await post({ body, headers: { 'content-type': 'text/plain' } })).toMatchObject({ status: 415 });
    expect(await post({ body: '{"ids":', headers: json })).toMatchObject({ status: 400 });
    expect(await post({ body: '{"ids":[]}', headers: json })).toMatchObject({ status: 400 });
    expect(await post({ body: '{"ids":["1"]}', headers: json })).toMatchObject({ status: 400 });
    expect(await post({ body: `{"ids":[${id}],"all":true}`, headers: json })).toMatchObject({ status: 400 });
    expect(await post({ body: ' '.repeat(200_000), headers: json })).toMatchObject({ status: 413 });
    expect(await post({ body, headers: { ...json, origin: 'http://evil.example' } })).toMatchObject({
      status: 403,
    });
    const { rows } = await world.pool.query('select state from dead_letters where id = $1', [id]);
    expect(rows).toEqual([{ state: 'open' }]);
  });
});

describe('labelling', () => {
  let server: Opened;
  beforeAll(async () => {
    server = await world.open(
      {},
      { answers: () => Promise.resolve({ labels: ['cat', 'dog'], tellsUnknown: false }) },
    );
    await world.pool.query(
      `update prediction_results set image_key = 'old ' || request_id where pipeline = $1`,
      [pipeline],
    );
    for (const [key, confidence] of [
      ['sure', 99],
      ['unsure', 40],
      ['between', 60],
    ] as const) {
      await world.predict(key, { confidence, belt: 'labels' });
      await world.pool.query('update prediction_results set image_key = $1 where request_id = $1', [key]);
    }
  });
  const unsure = async (more = '') => {
    const { body } = await ask(`/v1/unsure?belt=labels${more}`, { server });
    strictly(schemas.unsure, body);
    return schemas.unsure.parse(body).images.map(({ imageKey }) => imageKey);
  };
  const correct = (corrections: { imageKey: string; label: string }[], more = {}) =>
    act('/v1/corrections', { corrections, ...more }, { server });
  const recorded = async (imageKey: string) => {
    const { rows } = await world.pool.query<{ label: string; by: string }>(
      'select label, corrected_by as by from corrections where pipeline = $1 and image_key = $2',
      [pipeline, imageKey],
    );
    return rows[0] ?? null;
  };

  it('begins with what the model was least sure of, and leaves out what is corrected', async () => {
    expect(await unsure()).toEqual(['unsure', 'between', 'sure']);
    expect(await unsure('&below=50')).toEqual(['unsure']);
    expect(await unsure('&limit=1')).toEqual(['unsure']);
    expect(await unsure('&category=dog')).toEqual([]);
    expect(await unsure('&unknown=true')).toEqual([]);
    expect(await ask('/v1/unsure?limit=201', { server })).toMatchObject({ status: 400 });
    expect(await ask('/v1/unsure?order=random', { server })).toMatchObject({ status: 400 });
    const { status, body } = await correct([{ imageKey: 'unsure', label: 'dog' }]);
    expect(status).toBe(200);
    strictly(schemas.corrected, body);
    expect(body).toEqual({
      corrections: [{ imageKey: 'unsure', label: 'dog', predicted: 'cat', changed: true, former: null }],
    });
    expect(await recorded('unsure')).toEqual({ label: 'dog', by: 'http' });
    expect(await unsure()).toEqual(['between', 'sure']);
  });

  it('orders by the closest second category, and by the most unlike', async () => {
    const change = (columns: string, key: string, values: unknown[]) =>
      world.pool.query(`update prediction_results set ${columns} where image_key = $1`, [key, ...values]);
    const close = [
      { category: 'cat', confidence: 50.5 },
      { category: 'dog', confidence: 49.5 },
    ];
    await change('top = $2, novelty = 0.4', 'sure', [JSON.stringify(close)]);
    await change('novelty = 0.9', 'between', []);
    expect(await unsure('&order=margin')).toEqual(['sure', 'between']);
    expect(await unsure('&order=novelty')).toEqual(['between', 'sure']);
    expect(await unsure('&order=confidence')).toEqual(['between', 'sure']);
  });

  it('looks back a week, or as far as it is told to', async () => {
    await world.pool.query(
      `update prediction_results set time = time - interval '8 days' where image_key = 'between'`,
    );
    expect(await unsure()).toEqual(['sure']);
    expect(await unsure('&since=9d')).toEqual(['between', 'sure']);
    expect(await unsure('&since=1d')).toEqual(['sure']);
    // By default the latest 50,000. The very latest one is corrected.
    const among = async (among: number) =>
      (await unsurePredictions(world.pool, { pipeline, belt: 'labels', limit: 9, among })).length;
    expect([await among(1), await among(2)]).toEqual([0, 1]);
    await world.pool.query(
      `update prediction_results set time = time + interval '8 days' where image_key = 'between'`,
    );
  });

  it('takes back what was said: the former label counts again, or none', async () => {
    const second = await correct([{ imageKey: 'unsure', label: 'cat' }]);
    const { former } = schemas.corrected.parse(second.body).corrections[0]!;
    expect(former).toEqual({ label: 'dog', sha256: null });
    const undo = (label: string, former: unknown) =>
      act('/v1/corrections/undo', { corrections: [{ imageKey: 'unsure', label, former }] }, { server });
    // Somebody else has spoken since.
    expect(await undo('bird', null)).toMatchObject({ status: 200, body: { undone: [] } });
    expect(await undo('cat', former)).toMatchObject({ body: { undone: ['unsure'] } });
    expect(await recorded('unsure')).toMatchObject({ label: 'dog' });
    expect(await undo('dog', null)).toMatchObject({ body: { undone: ['unsure'] } });
    expect(await recorded('unsure')).toBeNull();
  });

  it('records all or nothing', async () => {
    const known = { imageKey: 'sure', label: 'cat' };
    for (const [corrections, status, code] of [
      [[known, { imageKey: 'nowhere', label: 'cat' }], 404, 'image_unknown'],
      [[known, { imageKey: 'between', label: 'bird' }], 422, 'label_unknown'],
      [[known, { ...known, label: 'dog' }], 400, 'invalid_request'],
      [[], 400, 'invalid_request'],
      [[{ ...known, label: 'a\nb' }], 400, 'invalid_request'],
    ] as const) {
      expect(await correct([...corrections])).toMatchObject({ status, body: { code } });
    }
    expect(await correct([{ imageKey: 'between', label: ' bird' }], { new: true })).toMatchObject({
      status: 422,
      body: { code: 'label_invalid' },
    });
    expect(await recorded('sure')).toBeNull();
    expect(await correct([{ imageKey: 'between', label: 'bird' }], { new: true })).toMatchObject({
      status: 200,
    });
    const { body } = await ask('/v1/labels', { server });
    strictly(schemas.labels, body);
    expect(body).toEqual({
      labels: [
        { label: 'cat', corrections: 0 },
        { label: 'dog', corrections: 0 },
        { label: 'bird', corrections: 1 },
      ],
      belts: expect.arrayContaining(['labels']) as string[],
      models: [{ name: 'm', version: '1' }],
    });
  });

  it('tells how good the model is by it', async () => {
    await correct([{ imageKey: 'sure', label: 'cat' }]);
    const { body } = await ask('/v1/accuracy', { server });
    strictly(schemas.accuracy, body);
    const { models, days, classes, confused, photographNext } = schemas.accuracy.parse(body);
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({ images: 2, right: 1, top1: 0.5 });
    expect(days.map(({ images }) => images)).toEqual([2]);
    expect(classes.map(({ label, images, right }) => [label, images, right])).toEqual([
      ['bird', 1, 0],
      ['cat', 1, 1],
    ]);
    expect(confused).toEqual([{ digest: 'sha256:0', label: 'bird', category: 'cat', images: 1 }]);
    expect(photographNext).toMatchObject({ model: { name: 'm' }, note: expect.any(String) as string });
    expect(photographNext.classes.map(({ label, images }) => [label, images])).toEqual([
      ['cat', 1],
      ['bird', 1],
    ]);
    expect(photographNext.classes[1]!.why).toEqual(['the model never says it', 'only 1 labelled']);
  });

  it('is not for those who may only look', async () => {
    const open = await world.open({ host: '0.0.0.0' });
    const corrections = [{ imageKey: 'sure', label: 'cat' }];
    for (const path of ['/v1/corrections', '/v1/corrections/undo'])
      expect(await act(path, { corrections }, { server: open })).toMatchObject({ status: 403 });
    expect((await ask('/v1/unsure', { server: open })).status).toBe(200);
  });
});

describe('a token', () => {
  it('may what its role may', async () => {
    const roles: TokenRole[] = ['read', 'ingest', 'operate'];
    const tokens = new Map(roles.map((role) => [role, newToken()]));
    const entries = roles.map((role) => tokenEntry(role, tokens.get(role)!, role));
    const server = await world.open({ tokens: parseTokens(entries.join()) });
    const may = async (role: TokenRole) => {
      const headers = { authorization: `Bearer ${tokens.get(role)}` };
      const { body } = await ask('/v1/access', { server, headers });
      strictly(rights, body);
      expect(body['token']).toBe(role);
      const image = await fetch(`${server.url}/v1/images`, { method: 'POST', body: 'x', headers });
      const drop = await act('/v1/dead-letters/drop', { ids: [987_654_321] }, { server, headers });
      return [body['may'], image.status, drop.status];
    };
    expect(await may('read')).toEqual([{ read: true, write: false, operate: false }, 403, 403]);
    expect(await may('ingest')).toEqual([{ read: true, write: true, operate: false }, 415, 403]);
    expect(await may('operate')).toEqual([{ read: true, write: true, operate: true }, 415, 404]);
    const nobody = await ask('/v1/access', { server });
    expect(nobody.body).toEqual({
      tokens: true,
      token: null,
      may: { read: false, write: false, operate: false },
    });
    for (const path of ['/v1/status', '/v1/activity', '/v1/dead-letters', '/v1/picture?key=k'])
      expect((await ask(path, { server })).status).toBe(401);
  });

  it('is not asked for where nobody else can come, and others may only look', async () => {
    expect((await ask('/v1/access')).body).toMatchObject({ tokens: false, may: { operate: true } });
    const open = await world.open({ host: '0.0.0.0' });
    expect((await ask('/v1/access', { server: open })).body).toMatchObject({
      may: { read: true, write: false, operate: false },
    });
    expect(await act('/v1/dead-letters/drop', { ids: [1] }, { server: open })).toMatchObject({
      status: 403,
      body: { code: 'read_only' },
    });
  });
});

describe('the page', () => {
  it('loads nothing from elsewhere, needs no token, and is answered with 304 while it is the same', async () => {
    const server = await world.open({ tokens: parseTokens(tokenEntry('a', newToken())) });
    const page = await fetch(server.url);
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    expect(files).toHaveLength(3);
    for (const path of files) {
      expect(path).toMatch(/^\/page\/[a-z.]+$/);
      const file = await fetch(server.url + path);
      expect([path, file.status]).toEqual([path, 200]);
      const headers = { 'if-none-match': file.headers.get('etag')! };
      expect((await fetch(server.url + path, { headers })).status).toBe(304);
    }
    expect((await fetch(main.url, { method: 'DELETE' })).status).toBe(405);
  });
});
