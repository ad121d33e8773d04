/** Labelling in a browser, on the built binary: what is typed is in PostgreSQL, and the page and the command count alike. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/lib/systems/database/open.ts';
import type { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const images = 130;

describeWith('browser', 'labelling', (executablePath) => {
  let opened: OpenedPage;
  let rig: Rig;
  let database: Database;
  let page: Page;

  beforeAll(async () => {
    opened = await openLivePage(executablePath, async (rig) => {
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      const folder = join(rig.dir, 'images');
      mkdirSync(folder);
      for (let n = 0; n < images; n++)
        writeFileSync(join(folder, `${n}.png`), await colorImage(colors[n % 3]!, n));
      await rig.json(['upload', folder]);
      await rig.json(['produce']);
      await rig.json(['consume', '--until-drained']);
    });
    ({ rig, database, page } = opened);
  }, 300_000);
  afterAll(() => opened?.[Symbol.asyncDispose]());

  const recorded = async () => {
    const { rows } = await database.pool.query<{ key: string; label: string }>(
      'select image_key as key, label from corrections',
    );
    return Object.fromEntries(rows.map(({ key, label }) => [key, label]));
  };
  /** In the order in which the page shows them. */
  const unsure = async () => {
    const answer = await fetch(`${opened.url}/v1/unsure?limit=200`);
    return ((await answer.json()) as { images: { imageKey: string }[] }).images.map(
      ({ imageKey }) => imageKey,
    );
  };
  const items = () => page.getByRole('option');
  const shown = (n: number) => expect.poll(() => items().count(), { timeout: 60_000 }).toBe(n);
  /** So many count, and the server has answered everything. */
  const labelled = (n: number) =>
    expect
      .poll(() => page.locator('.strip [role=status]').textContent(), { timeout: 60_000 })
      .toBe(`${n} labelled`);

  it('labels what is selected by clicks, ranges and a rubber band, with one key', async () => {
    await opened.open('label');
    await shown(120);
    await opened.usable();
    const order = await unsure();
    await items().nth(0).click();
    await items()
      .nth(2)
      .click({ modifiers: ['Shift'] });
    await items()
      .nth(4)
      .click({ modifiers: ['ControlOrMeta'] });
    await page.keyboard.press('2');
    await labelled(4);
    const green = Object.fromEntries([0, 1, 2, 4].map((n) => [order[n]!, 'green']));
    expect(await recorded()).toEqual(green);
    const rest = await unsure();
    expect(rest).toHaveLength(images - 4);

    const from = (await items().nth(0).boundingBox())!;
    const to = (await items().nth(1).boundingBox())!;
    await page.mouse.move(from.x + 5, from.y + 5);
    await page.mouse.down();
    await page.mouse.move(to.x + 20, to.y + 20, { steps: 4 });
    await page.mouse.up();
    await page.getByText('2 selected').waitFor();
    await page.keyboard.press('3');
    await labelled(6);
    expect(await recorded()).toEqual({ ...green, [rest[0]!]: 'blue', [rest[1]!]: 'blue' });
  });

  it('undoes, step by step', async () => {
    await page.keyboard.press('u');
    await labelled(4);
    await page.keyboard.press('Control+z');
    await labelled(0);
    expect(await recorded()).toEqual({});
  });

  it('finds labels, takes new ones, and confirms predictions', async () => {
    const [first, second] = (await unsure()) as [string, string];
    await page.keyboard.press('/');
    await page.keyboard.type('violet');
    await page.getByRole('button', { name: 'New class “violet”' }).waitFor();
    await page.keyboard.press('Enter');
    await labelled(1);
    expect(await recorded()).toEqual({ [first]: 'violet' });
    // It has a key now, the fourth.
    await page.getByRole('button', { name: '4 violet' }).waitFor();
    await page.keyboard.press('Enter');
    await labelled(2);
    const { rows } = await database.pool.query<{ category: string }>(
      'select category from prediction_results where image_key = $1',
      [second],
    );
    expect((await recorded())[second]).toBe(rows[0]!.category);
    for (const left of [1, 0]) {
      await page.keyboard.press('u');
      await labelled(left);
    }
    expect(await recorded()).toEqual({});
  });

  it('takes 100 labels as fast as they are typed: the aim is a minute', async () => {
    await page.reload();
    await shown(120);
    const order = await unsure();
    const began = performance.now();
    for (let n = 0; n < 100; n++) await page.keyboard.press(String(1 + (n % 3)));
    await labelled(100);
    const ms = performance.now() - began;
    expect(await recorded()).toEqual(
      Object.fromEntries(order.slice(0, 100).map((key, n) => [key, colors[n % 3]])),
    );
    expect(ms).toBeLessThan(600_000);
    await shown(images - 100);
  }, 660_000);

  it('tells the accuracy that the command tells', async () => {
    const { models } = await rig.json<{ models: { right: number; images: number; top1: number }[] }>([
      'results',
      'accuracy',
    ]);
    const { right, images: of, top1 } = models[0]!;
    expect(of).toBe(100);
    await page.getByText(`${right} of 100 labelled images`).waitFor();
    const tenth = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 }).format(100 * top1);
    expect(await page.locator('.good .value').textContent()).toBe(`${tenth} %`);
    await opened.usable();
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(opened.complaints).toEqual([]);
  });
});
