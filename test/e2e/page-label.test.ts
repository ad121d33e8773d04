/** Labelling in a browser, on the built binary: what is typed is in PostgreSQL, and the page and the command count alike. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { correctedExamples } from '../../src/lib/learning/corrections.ts';
import type { Database } from '../../src/lib/systems/database/open.ts';
import { openStore } from '../../src/lib/systems/objects/open.ts';
import type { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';
import { chanceSqueezeNet, squeezeNetFiles } from '../support/squeezenet-models.ts';
import { itThorough } from '../support/thorough.ts';
import { writeTinyModel } from '../support/tiny-models.ts';

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
  const items = (on = page) => on.getByRole('listbox', { name: 'Images to label' }).getByRole('option');
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
    await page.getByRole('option', { name: 'New class “violet”' }).waitFor();
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

  it('tells the accuracy that the command tells, and what to photograph next', async () => {
    const { models, photographNext } = await rig.json<{
      models: { right: number; images: number; top1: number }[];
      photographNext: { classes: { label: string; why: string[] }[] };
    }>(['results', 'accuracy']);
    const { right, images: of, top1 } = models[0]!;
    expect(of).toBe(100);
    await page.getByText(`${right} of 100 labelled images`).waitFor();
    const tenth = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 }).format(100 * top1);
    expect(await page.locator('.good .value').textContent()).toBe(`${tenth} %`);
    const { classes } = photographNext;
    expect(classes.length).toBeGreaterThan(0);
    const next = page.locator('.next ol');
    expect(await next.locator('a').allTextContents()).toEqual(classes.map(({ label }) => label));
    expect(await next.locator('li li').allTextContents()).toEqual(classes.flatMap(({ why }) => why));
    await opened.usable();
  });

  it('chooses by class, and says where nothing fits', async () => {
    const { images: red } = (await (
      await fetch(`${opened.url}/v1/unsure?category=red&order=margin&limit=200`)
    ).json()) as { images: { imageKey: string }[] };
    await page.getByLabel('Predicted as').fill('red');
    await page.getByRole('combobox', { name: 'First' }).selectOption('Second class closest');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await shown(red.length);
    const keys = await items().evaluateAll((all) => all.map((item) => (item as { title?: string }).title));
    expect(keys).toEqual(red.map(({ imageKey }) => imageKey));
    await page.getByLabel('Only unknown objects').check();
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('Nothing to label among the latest images fits this search.').waitFor();
    await page.getByRole('link', { name: 'Look further back' }).press('Enter');
    await page.getByText('Nothing to label fits this search.').waitFor();
    await page.getByRole('link', { name: 'Clear' }).click();
    await shown(images - 100);
  });

  it('is used with the keyboard alone', async () => {
    await page.reload();
    await shown(images - 100);
    const order = await unsure();
    const tabbed = page.getByRole('listbox', { name: 'Images to label' });
    // From the first thing on the page to the images, as somebody without a mouse goes.
    const inGrid = () => page.evaluate<boolean>("document.activeElement.getAttribute('role') === 'listbox'");
    for (let n = 0; n < 60 && !(await inGrid()); n++) await page.keyboard.press('Tab');
    expect(await inGrid()).toBe(true);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowRight');
    await page.getByText('2 selected').waitFor();
    expect(await tabbed.getAttribute('aria-activedescendant')).toBe('image-2');
    await page.keyboard.press('/');
    await page.keyboard.type('blu');
    await page.keyboard.press('Enter');
    await labelled(2);
    expect(await recorded()).toMatchObject({ [order[1]!]: 'blue', [order[2]!]: 'blue' });
    await page.keyboard.press('u');
    await labelled(0);
    await shown(images - 100);
  });

  it('is used with fingers: each touch selects one more', async () => {
    const context = await opened.browser.newContext({
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    const phone = await context.newPage();
    await phone.goto(`${opened.url}/#/label`);
    const order = await unsure();
    for (const n of [0, 1, 3]) await items(phone).nth(n).tap();
    await items(phone).nth(1).tap();
    await phone.getByText('2 selected').waitFor();
    await phone.getByRole('button', { name: 'blue', exact: true }).tap();
    const told = (text: string) =>
      expect.poll(() => phone.locator('.strip [role=status]').textContent()).toBe(text);
    await told('2 labelled');
    expect(await recorded()).toMatchObject({ [order[0]!]: 'blue', [order[3]!]: 'blue' });
    await phone.getByRole('button', { name: 'Undo' }).tap();
    await told('0 labelled');
    expect(Object.keys(await recorded())).toHaveLength(100);
    await context.close();
  });

  it('shows an image that came while it was open', async () => {
    await page.reload();
    await shown(images - 100);
    writeFileSync(join(rig.dir, 'images', 'late.png'), await colorImage('green', 400));
    await rig.json(['upload', join(rig.dir, 'images')]);
    await rig.json(['produce']);
    await rig.json(['consume', '--until-drained']);
    await shown(images - 99);
  });

  it('gives to training what was typed', async () => {
    const { store: settings, limits } = loadConfig(rig.env);
    await using store = await openStore(settings);
    const deps = { pool: database.pool, store, limits, signal: new AbortController().signal };
    const set = await correctedExamples(deps, 'default', join(rig.dir, 'cache'));
    expect(set.skipped).toEqual([]);
    const typed = Object.values(await recorded());
    const count = (label: string) => typed.filter((one) => one === label).length;
    expect(
      Object.fromEntries(
        set.labels.map((label, n) => [label, set.examples.filter((e) => e.label === n).length]),
      ),
    ).toEqual(Object.fromEntries(colors.map((color) => [color, count(color)])));
  });

  itThorough('trains on it', async () => {
    const labels = { 'labels.txt': Array.from({ length: 10 }, (_, n) => `class ${n}`).join('\n') };
    await using parent = await writeTinyModel('mean', {
      ...squeezeNetFiles(chanceSqueezeNet(10)),
      ...labels,
    });
    const made = await rig.json<{ images: { train: number; held: number }; leftOut: string[] }>([
      ...['train', '--from-corrections', '--name', 'labelled', '--from', parent.path],
    ]);
    expect(made.images.train + made.images.held).toBe(100);
    expect(made.leftOut).toEqual([]);
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(opened.complaints).toEqual([]);
  });
});
