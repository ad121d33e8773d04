/** The live page in a browser: images found by what is asked, all of one image, and dead letters by cause. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { texts } from '../../web/texts.ts';
import type { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { loseImage, type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

/** On a machine that does much else too. */
const patient = { timeout: 60_000 };

describeWith('browser', 'the live page’s images', (executablePath) => {
  let world: OpenedPage;
  let rig: Rig;
  let page: Page;
  const ids: string[] = [];

  beforeAll(async () => {
    world = await openLivePage(executablePath, ({ env, dir }) => {
      env['VISIONSCALE_MODEL'] = writeColorModel(join(dir, 'model'));
      env['VISIONSCALE_NOT_FOUND_GRACE'] = '0';
    });
    ({ rig, page } = world);
    rig.start(['consume']);
    for (let n = 0; n < 6; n++) {
      const body = new Uint8Array(await colorImage(colors[n % 3]!, n));
      const headers = {
        'visionscale-image-name': `${n}.png`,
        'visionscale-belt': n < 3 ? 'north' : 'south',
        'visionscale-captured-at': String(Date.now() - 2000),
      };
      const response = await fetch(`${world.url}/v1/images?wait=30s`, { method: 'POST', body, headers });
      expect(response.status).toBe(200);
      ids.push(((await response.json()) as { id: string }).id);
    }
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const shown = () => page.locator('.grid li').count();
  const fact = (name: string) =>
    page.locator('dl > div', { has: page.locator('dt', { hasText: name }) }).locator('dd');
  const letters = async (where: string) => {
    const { rows } = await world.database.pool.query<{ n: number }>(
      `select count(*)::int as n from dead_letters where ${where}`,
    );
    return rows[0]!.n;
  };

  it('are found by what the address asks, which the fields and chips tell', async () => {
    await world.open('images?belt=north&since=1h&above=1');
    await expect.poll(shown, patient).toBe(3);
    expect(await page.getByLabel('Belt', { exact: true }).inputValue()).toBe('north');
    expect(await page.getByLabel('Time').inputValue()).toBe('1h');
    await world.usable();
    await page.getByLabel('Belt', { exact: true }).fill('south');
    await page.getByLabel('Category', { exact: true }).fill(colors[0]);
    await page.getByRole('button', { name: 'Search' }).click();
    await expect.poll(shown, patient).toBe(1);
    expect(page.url()).toContain(`category=${colors[0]}&belt=south&above=1&since=1h`);
    await page.getByRole('link', { name: `Remove Category: ${colors[0]}` }).click();
    await expect.poll(shown, patient).toBe(3);
    await page.getByRole('link', { name: 'Remove Belt: south' }).click();
    await expect.poll(shown, patient).toBe(6);
  });

  it('are found in a time of one’s own, by a consumer and a version, and by what was unknown', async () => {
    await world.open('images');
    await expect.poll(shown, patient).toBe(6);
    await page.getByLabel('Time').selectOption('range');
    await page.getByLabel('From', { exact: true }).fill('2020-01-01T00:00');
    await page.getByLabel('To', { exact: true }).fill('2020-01-02T00:00');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('No result fits this search').waitFor();
    expect(await page.getByLabel('From', { exact: true }).inputValue()).toBe('2020-01-01T00:00');
    const { rows } = await world.database.pool.query<{ host: string; model: string }>(
      `select hostname as host, model || '@' || model_version as model from prediction_results limit 1`,
    );
    await world.open(
      `images?${new URLSearchParams({ consumer: rows[0]!.host, model: rows[0]!.model }).toString()}`,
    );
    await expect.poll(shown, patient).toBe(6);
    await world.open('images?unknown=true');
    await page.getByText('No result fits this search').waitFor();
    // The values that there are can be chosen.
    await expect.poll(() => page.locator('#known-category option').count(), patient).toBe(colors.length);
    const belts = page.locator('#known-belt option');
    await expect.poll(() => belts.count(), patient).toBe(2);
    expect(await belts.first().getAttribute('value')).toBe('north');
  });

  it('of a category of which a part was typed are proposed', async () => {
    await world.open(`images?category=GRE&belt=south`);
    await page.getByText(texts.images.similar('GRE', 1)).waitFor();
    await world.usable();
    await page.getByRole('link', { name: 'green', exact: true }).click();
    await expect.poll(shown, patient).toBe(1);
    expect(page.url()).toMatch(/category=green&belt=south$/);
    await world.open('images?category=green&belt=nowhere');
    await page.locator('.notice.empty', { hasText: texts.images.noMatch }).waitFor();
    expect(await page.getByText('contains “green”').count()).toBe(0);
  });

  it('lead back to the search that they were found by, over their neighbours', async () => {
    await page.setViewportSize({ width: 390, height: 500 });
    await world.open('images?belt=north');
    await expect.poll(shown, patient).toBe(3);
    const last = page.locator('.grid li').nth(2);
    await last.locator('img').waitFor();
    await last.scrollIntoViewIfNeeded();
    const scrolled = () => page.evaluate<number>('scrollY');
    const place = await scrolled();
    expect(place).toBeGreaterThan(100);
    await last.getByRole('link').click();
    await page.getByRole('link', { name: 'Later' }).click();
    await expect.poll(() => page.url(), patient).toContain(encodeURIComponent(ids[1]!));
    expect(await scrolled()).toBe(0);
    await page.reload();
    await page.getByRole('link', { name: 'Later' }).click();
    await expect.poll(() => page.url(), patient).toContain(encodeURIComponent(ids[2]!));
    await page.getByRole('link', { name: texts.image.backTo(texts.views.images) }).click();
    await expect.poll(shown, patient).toBe(3);
    expect(page.url()).toMatch(/#\/images\?belt=north$/);
    // The way is gone over, not added to.
    await page.goForward();
    await expect.poll(() => page.url(), patient).toContain(encodeURIComponent(ids[0]!));
    await page.goBack();
    await expect.poll(shown, patient).toBe(3);
    await last.getByRole('link').click();
    await page.getByRole('link', { name: texts.image.backTo(texts.views.images) }).click();
    await expect.poll(scrolled, patient).toBe(place);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it('are asked for again where the store is away, not where they are gone, and say why', async () => {
    const asked = new Map<string, number>();
    await page.route('**/v1/picture?**', (route) => {
      const key = new URL(route.request().url()).searchParams.get('key')!;
      asked.set(key, (asked.get(key) ?? 0) + 1);
      if (key.endsWith('2.png')) return route.fulfill({ status: 404, json: { detail: 'it is gone' } });
      return asked.get(key)! > 2
        ? route.continue()
        : route.fulfill({ status: 503, json: { detail: 'the store is away' } });
    });
    await page.reload();
    const none = page.locator('.grid .picture.none');
    await page.getByTitle(`the store is away. ${texts.images.trying}`).nth(1).waitFor();
    expect(await none.allTextContents()).toEqual([
      texts.images.noPicture,
      texts.images.noPictureYet,
      texts.images.noPictureYet,
    ]);
    await page.locator('.grid img').nth(1).waitFor();
    expect(await none.getAttribute('title')).toBe('it is gone.');
    expect([...asked.values()].toSorted()).toEqual([1, 3, 3]);
    await page.unroute('**/v1/picture?**');
  });

  it('tell their times, message, neighbours, and what people say', async () => {
    await world.open(`image/${encodeURIComponent(ids[1]!)}`);
    const spent = page.locator('.spent');
    await spent.getByText(/ s from capture to row/).waitFor();
    const { rows } = await world.database.pool.query<{ n: number; width: number }>(
      `select "offset" as n, (select sum(value::float8) from jsonb_each_text(stages)) / latency_ms as width
       from prediction_results where request_id = $1`,
      [ids[1]],
    );
    expect(await fact('Message').textContent()).toMatch(new RegExp(`partition 0, offset ${rows[0]!.n}$`));
    // The bar is drawn to scale: waiting is what the work leaves of it.
    const bar = (await spent.locator('.spans').first().boundingBox())!.width;
    const waiting = (await spent.locator('.spans .waiting').boundingBox())!.width;
    expect(Math.abs(waiting / bar - (1 - rows[0]!.width))).toBeLessThan(0.05);
    expect(await spent.locator('tbody tr').count()).toBe(5);
    await page.getByRole('link', { name: 'Later' }).click();
    await expect.poll(() => page.url(), patient).toContain(encodeURIComponent(ids[2]!));
    await page.getByRole('link', { name: 'Earlier' }).click();
    await expect.poll(() => page.url(), patient).toContain(encodeURIComponent(ids[1]!));
    const [imageKey] = (
      await world.database.pool.query<{ key: string }>(
        'select image_key as key from prediction_results where request_id = $1',
        [ids[1]],
      )
    ).rows.map(({ key }) => key);
    await fetch(`${world.url}/v1/corrections`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ corrections: [{ imageKey, label: colors[2] }] }),
    });
    await page.getByText(`People say that it is ${colors[2]}.`).waitFor();
    await world.usable();
    await page.getByRole('link', { name: 'all its results' }).click();
    await expect.poll(shown, patient).toBe(1);
  });

  it('that failed are retried where they are shown, and keep their letter', async () => {
    const bringBack = await loseImage(rig);
    await expect.poll(() => letters("state = 'open'"), patient).toBe(1);
    await world.open(`image/${encodeURIComponent('p:1:a.png')}`);
    await page.getByText('It cannot be classified').waitFor();
    await world.usable();
    bringBack();
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Retry' }).click();
    await page.getByText('resolved by a retry').waitFor();
    await page.getByRole('heading', { name: 'What the model says' }).waitFor();
    expect(await fact('Cause').textContent()).toMatch(/^not_found: /);
  });

  it('dead letters are shown by cause, and all of one are dropped, not only those shown', async () => {
    await world.database.pool.query(
      `insert into dead_letters (pipeline, request_id, topic, partition, "offset", headers, stage, code, message, hostname)
       select pipeline, code || n, topic, 0, n, '{}', 'classify', code, 'it is broken', 'h'
       from (select pipeline, topic from prediction_results limit 1) p,
         (values ('too_slow', 620), ('truncated', 2)) as c (code, letters), generate_series(1, letters) n`,
    );
    await world.open('dead-letters');
    const slow = page.getByRole('region', { name: 'too_slow' });
    await slow.getByText('too_slow: 620 dead letters').waitFor();
    expect(await slow.locator('.letters li').count()).toBe(5);
    expect(await page.getByRole('region', { name: 'truncated' }).locator('.letters li').count()).toBe(2);
    await world.usable();
    await page.setViewportSize({ width: 390, height: 844 });
    const touched = (await slow.locator('.letters label').first().boundingBox())!;
    expect(Math.min(touched.width, touched.height)).toBeGreaterThanOrEqual(44);
    await page.setViewportSize({ width: 1280, height: 900 });
    // More come below those that are there, and the focus stays.
    await slow.getByRole('link', { name: 'Show all 620' }).click();
    await expect.poll(() => slow.locator('.letters li').count(), patient).toBe(50);
    await page.getByRole('button', { name: texts.letters.more }).press('Enter');
    await expect.poll(() => slow.locator('.letters li').count(), patient).toBe(150);
    expect(await page.evaluate<string>('document.activeElement.textContent')).toBe(texts.letters.more);
    await page.goBack();
    await slow.getByText('Show all 620').waitFor();
    await slow.locator('.letters a').first().click();
    await page.getByRole('link', { name: texts.image.backTo(texts.views.letters) }).click();
    await slow.getByRole('button', { name: 'Drop all 620' }).click();
    const dialog = page.getByRole('alertdialog');
    await dialog.getByText('Drop all 620 dead letters with the cause too_slow?').waitFor();
    // What comes while it is asked is not part of it.
    await world.database.pool.query(
      `insert into dead_letters (pipeline, request_id, topic, partition, "offset", headers, stage, code, message, hostname)
       select pipeline, 'late', topic, 0, 0, '{}', 'classify', code, message, hostname
       from dead_letters where code = 'too_slow' limit 1`,
    );
    await dialog.getByRole('button', { name: 'Drop' }).click();
    await page.getByText('Dropped 620 dead letters.').waitFor();
    expect(await letters("code = 'too_slow' and state = 'dropped'")).toBe(620);
    expect(await letters("state = 'open'")).toBe(3);
  });

  it('says what was refused, and that a search took too long', async () => {
    await page.route('**/v1/dead-letters/retry', (route) =>
      route.fulfill({ json: { retried: 1, refused: 2 } }),
    );
    await page.getByLabel('Select all shown').check();
    await page.getByRole('button', { name: 'Retry', exact: true }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Retry' }).click();
    await page.getByText('2 dead letters could not be sent').waitFor();
    await page.unroute('**/v1/dead-letters/retry');
    const slow = { status: 503, json: { code: 'database_timeout', detail: 'the database is not available' } };
    await page.route('**/v1/results?**', (route) => route.fulfill(slow));
    await world.open('images?bin=rare');
    await page.getByText('PostgreSQL took too long for this search').waitFor();
    await page.unroute('**/v1/results?**');
  });

  it('tells how far a search has looked, and looks further', async () => {
    const slow = { status: 503, json: { code: 'database_timeout', detail: 'the database is not available' } };
    let looks = 0;
    const empty = { results: [], next: 'x', lookedBackTo: '2026-01-01T10:00:00.000Z' };
    await page.route('**/v1/results?**', (route) => {
      const isFirst = !route.request().url().includes('cursor=');
      if (isFirst) return route.fulfill({ json: empty });
      return looks++ === 0 ? route.fulfill(slow) : route.continue({ url: `${world.url}/v1/results` });
    });
    await world.open('images?bin=seldom');
    await page.getByText('Looked at the newest 50,000 results').waitFor();
    await page.getByRole('button', { name: 'Look further back' }).click();
    await page.getByText('PostgreSQL took too long for this search').waitFor();
    await page.getByRole('button', { name: 'Look further back' }).click();
    await expect.poll(shown, patient).toBe(7);
    await page.unroute('**/v1/results?**');
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(world.complaints).toEqual([]);
  });
});
