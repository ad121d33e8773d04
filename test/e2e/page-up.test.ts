/** The live page of `up` while images stream and processes die; at the end its numbers are those of `status`, `results` and SQL. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, writeTellingColorModel } from '../support/color-model.ts';
import { keeperOf, postgresOf } from '../support/guest.ts';
import { count, type Counts, PageNumbers, total } from '../support/page-numbers.ts';
import { newPage } from '../support/page.ts';
import { processesOf } from '../support/processes.ts';
import { describeWith } from '../support/servers.ts';

const rules = 'manual: manual\nunknown: foreign\nbins: {left: [red], right: [green]}\n';
/** To left, to right, to manual for having no bin, and to foreign for being unknown. */
const kinds = ['red', 'green', 'blue', 'white'] as const;
/** Every so many-eth image is cut off: a dead letter. */
const brokenEvery = 20;
const patience = { timeout: 60_000 };

interface StatusDocument {
  predictions: number;
  deadLetters: number;
  deadLettersByCode: Counts;
  consumers: { owner: string; state: string }[];
  partitions: { partition: number; owner: string; lag: number; state: string }[];
  model: { active: string };
  bins: { version: number };
}

describeWith('browser', 'the live page of up', (executablePath) => {
  let rig: Rig;
  let up: Running;
  let url: string;
  let database: Database;
  let browser: Browser;
  /** Open from before the first image to the end. */
  let belt: PageNumbers;
  let now: PageNumbers;
  const complaints: string[] = [];
  let sent = 0;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '2', VISIONSCALE_HTTP_PORT: '0' });
    writeFileSync(join(rig.dir, 'bins.yaml'), rules);
    const model = writeTellingColorModel(join(rig.dir, 'model'));
    await rig.json(['model', 'add', model, '--name', 'telling']);
    await rig.json(['init']);
    await rig.json(['model', 'use', 'telling']);
    await rig.json(['bins', 'use', 'bins.yaml']);
    up = rig.start(['up', '--json']);
    let told = '';
    up.process.stdout!.on('data', (chunk: string) => (told += chunk));
    await up.printed(1);
    url = (JSON.parse(told) as { server: string }).server;
    database = await openDatabase(loadConfig(rig.env).database);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const open = async () => new PageNumbers(await newPage(browser, complaints), url);
    [belt, now] = await Promise.all([open(), open()]);
    await belt.open('belt');
    await live(belt.page);
    await now.open('');
    await now.tile('Waiting').waitFor();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  const live = (page: Page) => page.locator('.belt-head .pill.ok').waitFor();

  /** Sends the next images over two belts, four at a time, again what is refused; the ids of their requests. */
  async function send(images: number): Promise<string[]> {
    const from = sent;
    sent += images;
    const post = async (n: number) => {
      const isBroken = n % brokenEvery === brokenEvery - 1;
      const image = isBroken ? await cutOff() : await colorImage(kinds[n % 4]!, n);
      const headers = {
        'visionscale-image-name': `${n}.${isBroken ? 'jpg' : 'png'}`,
        'visionscale-belt': n % 3 === 0 ? 'north' : 'south',
        'idempotency-key': `${n}`,
      };
      const again = async () => {
        const body = new Uint8Array(image);
        const response = await fetch(`${url}/v1/images`, { method: 'POST', body, headers });
        answer = (await response.json()) as { id: string };
        return response.status;
      };
      let answer = { id: '' };
      await expect.poll(again, patience).toBe(202);
      return answer.id;
    };
    const ids: string[] = [];
    for (let n = from; n < sent; n += 4) {
      const four = [n, n + 1, n + 2, n + 3].filter((one) => one < sent);
      ids.push(...(await Promise.all(four.map(post))));
    }
    return ids;
  }
  const get = async <T>(path: string) => (await (await fetch(`${url}/v1/${path}`)).json()) as T;
  const counts = async (sql: string, values: unknown[] = []): Promise<Counts> => {
    const { rows } = await database.pool.query<{ name: string; n: number }>(sql, values);
    return Object.fromEntries(rows.map(({ name, n }) => [name, n]));
  };
  const binsInSql = () => counts('select bin as name, count(*)::int as n from prediction_results group by 1');
  const lettersInSql = () =>
    counts("select code as name, count(*)::int as n from dead_letters where state = 'open' group by 1");
  const outcomes = async () => total(await binsInSql()) + total(await lettersInSql());
  const allAnswered = () => expect.poll(outcomes, patience).toBe(sent);
  const pidOf = (owner: string) => Number(owner.split(':').at(-2));
  /** The line of a partition under Now. */
  const partition = (n: number) =>
    now.section('Partitions').locator('tbody tr', {
      has: now.page.locator('td[data-name=Partition]', { hasText: new RegExp(`^${n}$`) }),
    });

  it('fills the belt while images stream, and shows how many a second', async () => {
    await send(100);
    await expect.poll(async () => total(await belt.belt()), patience).toBeGreaterThan(0);
    await send(100);
    await expect
      .poll(
        async () => Number((await now.tile('Done').innerText()).replace(/[^\d.].*/s, '') || '0'),
        patience,
      )
      .toBeGreaterThan(0);
    await allAnswered();
    const lettersNow = total(await lettersInSql());
    expect(lettersNow).toBe(200 / brokenEvery);
    await expect.poll(() => belt.belt(), patience).toEqual(await binsInSql());
    await expect
      .poll(async () => count(await now.tile('Dead letters').innerText()), patience)
      .toBe(lettersNow);
  });

  it('shows what waits while a consumer hangs, and who takes over when it is killed', async () => {
    const [first] = (await get<StatusDocument>('status')).partitions;
    // It would be killed and started again in a moment.
    up.process.kill('SIGSTOP');
    process.kill(pidOf(first!.owner), 'SIGSTOP');
    try {
      const ids = await send(40);
      const lags = async () => (await get<StatusDocument>('status')).partitions.map(({ lag }) => lag);
      // The answer may be a moment old, from before there was anything.
      await expect.poll(async () => (await lags()).map((lag) => lag > 0), patience).toEqual([true, false]);
      const [waiting] = await lags();
      await expect.poll(async () => count(await now.tile('Waiting').innerText()), patience).toBe(waiting);
      await expect.poll(() => partition(0).innerText(), patience).toContain('expired');
      // Two of them are lost meanwhile.
      const images = await Promise.all(
        ids.map((id) => get<{ status: string; imageKey: string }>(`images/${id}`)),
      );
      const pending = images.filter(({ status, imageKey }) => status === 'pending' && /png$/.test(imageKey));
      for (const { imageKey } of pending.slice(0, 2)) rmSync(join(rig.dir, 'data', 'images', imageKey));
    } finally {
      process.kill(pidOf(first!.owner), 'SIGKILL');
      up.process.kill('SIGCONT');
    }
    await up.said(/consumer 0 ended with SIGKILL.*restarting it/);
    await expect.poll(() => partition(0).innerText(), patience).toContain('consuming');
    const owner = (await get<StatusDocument>('status')).partitions[0]!.owner;
    expect(owner).not.toBe(first!.owner);
    await partition(0).getByText(owner).waitFor();
    await expect.poll(async () => count(await now.tile('Waiting').innerText()), patience).toBe(0);
    await allAnswered();
    expect((await lettersInSql())['not_found']).toBe(2);
  });

  it('goes on where it was when the server is killed and comes again', async () => {
    const server = processesOf(rig.dir).find((one) => one.includes('serve --while-stdin'))!;
    const lost = belt.page.getByText(/Not connected for/).waitFor();
    process.kill(Number.parseInt(server), 'SIGKILL');
    await lost;
    await live(belt.page);
    await send(20);
    await allAnswered();
    await expect.poll(() => belt.belt(), patience).toEqual(await binsInSql());
    await now.page.locator('header .pill.ok').waitFor();
  });

  it('says that PostgreSQL is away, and goes on when it is back', async () => {
    const dataDir = rig.env['VISIONSCALE_DATA_DIR']!;
    // It would start it again at once.
    const keeper = await keeperOf(dataDir);
    process.kill(keeper, 'SIGSTOP');
    try {
      process.kill(await postgresOf(dataDir), 'SIGKILL');
      await now.page
        .locator('[role=alert], [role=status]', { hasText: /database|PostgreSQL/i })
        .first()
        .waitFor();
    } finally {
      process.kill(keeper, 'SIGCONT');
    }
    await now.page.locator('.verdict:is(.ok, .warn)').waitFor();
    await send(20);
    await allAnswered();
    await expect.poll(() => belt.belt(), patience).toEqual(await binsInSql());
  });

  it('shows at the end the numbers of `status`, `results` and the database', async () => {
    const status = await rig.json<StatusDocument>(['status']);
    const results = await rig.json<{ imageKey: string; bin: string; category: string }[]>([
      'results',
      '--limit',
      '1000',
    ]);
    const bins = await binsInSql();
    const letters = await lettersInSql();
    const predictions = total(bins);
    expect(predictions + total(letters)).toBe(sent);
    expect([status.predictions, results.length]).toEqual([predictions, predictions]);
    expect([status.deadLetters, status.deadLettersByCode]).toEqual([total(letters), letters]);

    // Belt, open all the time, and Bins, which counts the last quarter of an hour.
    expect(await belt.belt()).toEqual(bins);
    expect(count((await belt.page.getByText(/images since/).innerText()).split(' images')[0]!)).toBe(
      predictions,
    );
    await now.open('bins');
    await expect.poll(() => now.bins(), patience).toEqual(bins);

    await now.open('dead-letters');
    await expect.poll(() => now.letters(), patience).toEqual({ All: total(letters), ...letters });
    for (const [code, n] of Object.entries(letters)) {
      await now.open(`dead-letters?code=${code}`);
      await expect.poll(() => now.page.locator('.letters > li').count(), patience).toBe(n);
    }

    await now.open('');
    await now.tile('Waiting').waitFor();
    await expect
      .poll(async () => {
        const tile = (name: string) => now.tile(name).innerText();
        return {
          waiting: count(await tile('Waiting')),
          consumers: count(await tile('Consumers')),
          letters: count(await tile('Dead letters')),
          model: await tile('Model'),
          bins: await tile('Bins'),
        };
      }, patience)
      .toEqual({
        waiting: 0,
        consumers: status.consumers.length,
        letters: status.deadLetters,
        model: status.model.active,
        bins: `version ${status.bins.version}`,
      });
    const shownPartitions = (await now.rows('Partitions')).map((row) => [
      count(row['Partition']!),
      count(row['Waiting']!),
      row['Owner'],
    ]);
    expect(shownPartitions).toEqual(
      status.partitions.map(({ partition, lag, owner }) => [partition, lag, owner]),
    );
    const shownConsumers = (await now.rows('Consumers')).map((row) => row['Consumer']);
    expect(shownConsumers.toSorted()).toEqual(status.consumers.map(({ owner }) => owner).toSorted());

    // Images, by what is asked for.
    const found = [
      ['', []],
      ['category=green', ['--category', 'green']],
      ['bin=manual', ['--bin', 'manual']],
      ['belt=north', ['--belt', 'north']],
    ] as const;
    for (const [query, flags] of found) {
      const told = await rig.json<unknown[]>(['results', '--limit', '1000', ...flags]);
      const [column, value] = query === '' ? ['pipeline', 'default'] : query.split('=');
      const { rowCount } = await database.pool.query(
        `select 1 from prediction_results where ${column} = $1`,
        [value],
      );
      expect([query, await now.images(query), told.length]).toEqual([query, rowCount, rowCount]);
    }

    await now.open('models');
    const [name, version] = status.model.active.split(' ');
    await now.section('In use').getByText(`${name}@${version}`).first().waitFor();
  });

  it('shows the accuracy of corrections that `results accuracy` and the database tell', async () => {
    const { rows } = await database.pool.query<{ key: string; category: string }>(
      'select image_key as key, category from prediction_results order by id limit 16',
    );
    const corrections = rows.map(({ key, category }, n) => ({
      imageKey: key,
      label: n % 4 > 0 ? category : category === 'red' ? 'green' : 'red',
    }));
    const response = await fetch(`${url}/v1/corrections`, {
      method: 'POST',
      body: JSON.stringify({ corrections }),
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(200);
    const { models } = await rig.json<{ models: { right: number; images: number }[] }>([
      'results',
      'accuracy',
    ]);
    const { rows: judged } = await database.pool.query<{ right: number; images: number }>(
      `select count(*) filter (where label = category)::int as right, count(*)::int as images
       from corrections join prediction_results using (image_key)`,
    );
    expect(judged).toEqual([{ right: 12, images: 16 }]);
    expect(models[0]).toMatchObject(judged[0]!);
    await now.open('label');
    await now.page.getByText('12 of 16 labelled images').waitFor();
    expect(await now.page.locator('.good .value').innerText()).toBe('75 %');
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(complaints).toEqual([]);
  });
});

/** A JPEG that ends before its pixels do: `serve` takes it, no decoder does. */
async function cutOff(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const create = { width: 60, height: 50, channels: 3, background: '#808080', noise } as const;
  const whole = await sharp({ create }).jpeg({ quality: 95 }).toBuffer();
  return whole.subarray(0, Math.floor(whole.length / 2));
}
