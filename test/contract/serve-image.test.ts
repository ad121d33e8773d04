/** What is answered about one image, and how images are found. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseError } from '../../src/lib/base/errors.ts';
import { letterPage } from '../../src/lib/pipeline/serve/schemas/dead-letters.ts';
import { image } from '../../src/lib/pipeline/serve/schemas/images.ts';
import { resultPage } from '../../src/lib/pipeline/serve/schemas/results.ts';
import { readResultPage, type ResultPlace } from '../../src/lib/systems/database/tables/results.ts';
import { type Opened, pipeline, type Served, served } from '../support/served.ts';

let world: Served;
let main: Opened;

beforeAll(async () => {
  world = await served();
  main = await world.open();
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function ask(path: string, server = main): Promise<unknown> {
  return (await fetch(server.url + path)).json();
}

/** Held to the schema, which hides nothing. */
async function about(id: string, server = main) {
  const body = await ask(`/v1/images/${encodeURIComponent(id)}`, server);
  expect(image.parse(body)).toEqual(body);
  return image.parse(body);
}

async function search(query: string) {
  const body = await ask(`/v1/results?${query}`);
  expect(resultPage.parse(body)).toEqual(body);
  return resultPage.parse(body);
}

describe('an image', () => {
  it('with a result has its stages, its message and its neighbours', async () => {
    for (const id of ['before', 'this', 'after']) await world.predict(id);
    await world.pool.query(
      `update prediction_results set "offset" = 42, partition = 2, stages = '{"fetch": 1.5, "infer": 5}'
       where request_id = 'this'`,
    );
    expect(await about('this')).toMatchObject({
      status: 'done',
      result: { id: 'this' },
      stages: { fetch: 1.5, infer: 5 },
      message: { topic: 'images', partition: 2, offset: 42 },
      deadLetter: null,
      correction: null,
      previous: 'before',
      next: 'after',
    });
    expect(await about('before')).toMatchObject({ previous: null });
    expect(await about('after')).toMatchObject({ next: null });
  });

  it('has only neighbours of its pipeline', async () => {
    await world.predict('one');
    await world.predict('of another');
    await world.pool.query("update prediction_results set pipeline = 'x' where request_id = 'of another'");
    await world.predict('two');
    expect(await about('two')).toMatchObject({ previous: 'one' });
    await world.pool.query("delete from prediction_results where pipeline = 'x'");
  });

  it('that cannot be classified has its dead letter, and keeps it when a retry resolves it', async () => {
    await world.bury('failed', 'corrupt');
    expect(await about('failed')).toMatchObject({
      status: 'failed',
      failure: { code: 'corrupt' },
      deadLetter: { state: 'open', code: 'corrupt', stage: 'classify', attempts: 1, closedAt: null },
      message: { topic: 'images', partition: 0, offset: 0 },
      stages: null,
    });
    await world.predict('failed');
    await world.pool.query(
      "update dead_letters set state = 'resolved', closed_at = now() where request_id = 'failed'",
    );
    const { status, failure, deadLetter } = await about('failed');
    expect([status, failure, deadLetter?.state]).toEqual(['done', null, 'resolved']);
    expect(deadLetter?.closedAt).not.toBeNull();
  });

  it('has what people say of this very content', async () => {
    await world.predict('said');
    await world.pool.query("update prediction_results set image_key = 'said.jpg' where request_id = 'said'");
    await world.pool.query(
      `insert into corrections (pipeline, image_key, label, corrected_by) values ($1, 'said.jpg', 'dog', 'anna')`,
      [pipeline],
    );
    expect((await about('said')).correction).toMatchObject({ label: 'dog', by: 'anna' });
    // The key has got another image since, and that is what was looked at.
    await world.pool.query("update corrections set content_since = clock_timestamp() + interval '1 second'");
    expect((await about('said')).correction).toBeNull();
  });

  it('is answered though the database lets the server see no more than outcomes', async () => {
    await world.bury('hidden', 'corrupt');
    const denied = new DatabaseError('permission denied', {
      code: 'database_permission_denied',
      retryable: false,
    });
    const pool = {
      query: (text: string, values: unknown[]) =>
        /attempts|corrections/.test(text) ? Promise.reject(denied) : world.pool.query(text, values),
    };
    const guarded = await world.open({}, { pool: pool as never });
    expect(await about('hidden', guarded)).toMatchObject({
      status: 'failed',
      failure: { code: 'corrupt' },
      deadLetter: null,
    });
  });
});

describe('a search', () => {
  const belt = 'searched';
  const ids = Array.from({ length: 30 }, (_, n) => `s${n}`);
  beforeAll(async () => {
    for (const [n, id] of ids.entries())
      await world.predict(id, { belt, confidence: n, bin: n === 3 ? 'rare' : 'common' });
    await world.pool.query(
      `update prediction_results set hostname = 'other', model_version = '2' where request_id in ('s7', 's9')`,
    );
  });
  const found = async (query: string) => (await search(`belt=${belt}&${query}`)).results.map(({ id }) => id);

  it('takes consumer, version of the model, and confidence from and below', async () => {
    expect(await found('consumer=other')).toEqual(['s9', 's7']);
    expect(await found('model=m@2')).toEqual(['s9', 's7']);
    expect(await found('model=m&limit=500')).toHaveLength(30);
    expect(await found('model=2')).toEqual([]);
    expect(await found('above=27')).toEqual(['s29', 's28', 's27']);
    expect(await found('above=5&below=7')).toEqual(['s6', 's5']);
    expect((await fetch(`${main.url}/v1/results?above=101`)).status).toBe(400);
  });

  it('looks at a bounded number of rows, tells how far, and goes on from there', async () => {
    const bounds = { few: 2, most: 10 };
    const wanted: string[] = [];
    let before: ResultPlace | null = null;
    let looks = 0;
    do {
      const page: Awaited<ReturnType<typeof readResultPage>> = await readResultPage(
        world.pool,
        pipeline,
        { belt, bin: 'rare' },
        { before, limit: 5 },
        bounds,
      );
      wanted.push(...page.results.map(({ id }) => id));
      expect(page.lookedBackTo === null).toBe(page.next === null);
      before = page.next;
      looks++;
    } while (before !== null);
    expect(wanted).toEqual(['s3']);
    const { rows } = await world.pool.query<{ n: number }>(
      'select count(*)::int as n from prediction_results',
    );
    expect(looks).toBe(Math.floor(rows[0]!.n / bounds.most) + 1);
  });

  it('in pages that stop at the bound brings each once', async () => {
    const seen: string[] = [];
    let before: ResultPlace | null = null;
    do {
      const page: Awaited<ReturnType<typeof readResultPage>> = await readResultPage(
        world.pool,
        pipeline,
        { belt },
        { before, limit: 4 },
        { few: 2, most: 3 },
      );
      seen.push(...page.results.map(({ id }) => id));
      before = page.next;
    } while (before !== null);
    expect(seen).toEqual(ids.toReversed());
  });

  it('of what time, key or category lead to goes to its end', async () => {
    expect(await search(`belt=${belt}&category=none`)).toEqual({
      results: [],
      next: null,
      lookedBackTo: null,
    });
  });

  it('refuses a cursor that it has not given out', async () => {
    for (const cursor of ['r12', 't1r', 't12345678901234567r1', 'x'])
      expect(
        (await fetch(`${main.url}/v1/results?cursor=${Buffer.from(cursor).toString('base64url')}`)).status,
      ).toBe(400);
  });
});

describe('dead letters', () => {
  it('come by code, the latest of each', async () => {
    await world.pool.query('delete from dead_letters');
    for (const id of ['a1', 'a2', 'a3', 'b1'])
      await world.bury(id, id.startsWith('a') ? 'too_slow' : 'corrupt');
    await world.bury('gone', 'not_found');
    await world.pool.query("update dead_letters set state = 'dropped' where request_id = 'gone'");
    const body = letterPage.parse(await ask('/v1/dead-letters?each=2'));
    expect(body.letters.map(({ requestId }) => requestId)).toEqual(['b1', 'a3', 'a2']);
    expect([body.open, body.next]).toEqual([{ too_slow: 3, corrupt: 1 }, null]);
    expect((await fetch(`${main.url}/v1/dead-letters?each=51`)).status).toBe(400);
  });
});
