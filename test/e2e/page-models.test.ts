/** Models switched and bins edited on the live page: rows tell that it was done. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { newPage, usable } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

interface Result {
  imageKey: string;
  category: string;
  bin: string | null;
  model: { name: string };
}

describeWith('browser', 'models and bins on the live page', (executablePath) => {
  let rig: Rig;
  let browser: Browser;
  let page: Page;
  let url: string;
  let consumer: Running;
  const complaints: string[] = [];
  let sent = 0;

  async function serve(env: Record<string, string> = {}): Promise<string> {
    const server = rig.start(['serve', '--json', '--drain-delay', '0', '--port', '0'], env);
    let told = '';
    server.process.stderr!.on('data', (chunk: string) => (told += chunk));
    await server.said(/listening on/);
    return /listening on (http:\/\/[^"\s]+)/.exec(told)![1]!;
  }

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
    const labels = { english: colors, german: ['red', 'grün', 'blau'] };
    for (const [name, names] of Object.entries(labels))
      await rig.json(['model', 'add', writeColorModel(join(rig.dir, name), name, names), '--name', name]);
    await rig.json(['init']);
    await rig.json(['model', 'publish', 'german']);
    await rig.json(['model', 'use', 'english']);
    mkdirSync(join(rig.dir, 'rules'));
    writeFileSync(join(rig.dir, 'rules', 'bins.yaml'), 'bins:\n  left: ["red"]\n  right: ["green"]\n');
    await rig.json(['bins', 'use', join(rig.dir, 'rules', 'bins.yaml')]);
    url = await serve();
    consumer = rig.start(['consume']);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    page = await newPage(browser, complaints);
  });
  afterAll(async () => {
    await browser?.close();
    await rig?.[Symbol.asyncDispose]();
  });

  /** One image; what became of it. */
  const post = async (color: (typeof colors)[number], belt = 'north'): Promise<Result> => {
    const n = sent++;
    const body = new Uint8Array(await colorImage(color, n));
    const headers = { 'visionscale-image-name': `${n}.png`, 'visionscale-belt': belt };
    const response = await fetch(`${url}/v1/images?wait=30s`, { method: 'POST', body, headers });
    expect(response.status).toBe(200);
    return (await response.json()) as Result;
  };
  const open = (view: string) => page.goto(`${url}/#/${view}`);
  const dialog = () => page.getByRole('alertdialog');
  const button = (name: string) => page.getByRole('button', { name, exact: true });

  it('tries edited bins on what is there, puts them in force, and takes them back', async () => {
    for (const color of [...colors, ...colors])
      expect((await post(color)).bin).toBe({ red: 'left', green: 'right', blue: 'manual' }[color]);
    await open('bins');
    const rules = page.getByLabel('Rules (YAML)');
    const before = await rules.inputValue();
    expect(before).toContain('"green"');
    await rules.fill(before.replace('"green"', '"gren"'));
    await button('Try on the last 1,000 images').click();
    await page.getByText('did you mean "green"?').waitFor();
    // What is found of rules that stand there no more says nothing of those that do.
    await page.route('**/v1/bins/try', async (route) => {
      const response = await route.fetch();
      await rules.fill(before);
      await route.fulfill({ response });
    });
    await button('Try on the last 1,000 images').click();
    await button('Trying…').waitFor({ state: 'detached' });
    expect(await button('Put in force').count()).toBe(0);
    await page.unroute('**/v1/bins/try');
    await rules.fill(`${before}  far: { classes: ["blue"] }\n`);
    await button('Try on the last 1,000 images').click();
    await page.getByText('2 images would go elsewhere').waitFor();
    const move = page.locator('.moves tbody tr');
    expect((await move.locator('td').allTextContents()).slice(0, 3)).toEqual(['manual', 'far', '2']);
    await move.locator('img').nth(1).waitFor();
    await usable(page);
    await button('Put in force').click();
    await dialog().getByText('They hold for every image').waitFor();
    await dialog().getByRole('button', { name: 'Put in force' }).click();
    await page.getByText('Version 2 is in force.').waitFor();
    expect((await post('blue')).bin).toBe('far');

    await button('Go back one change').click();
    await dialog().getByText('Put version 1 in force again?').waitFor();
    await dialog().getByRole('button', { name: 'Go back one change' }).click();
    await page.getByText('Version 1 is in force.').waitFor();
    expect((await post('blue')).bin).toBe('manual');
    expect((await rig.json<unknown[]>(['bins', 'history'])).length).toBe(3);
  });

  it('refuses rules made from a version that is in force no more', async () => {
    await open('models');
    await open('bins');
    const rules = page.getByLabel('Rules (YAML)');
    await rules.fill(`${await rules.inputValue()}  far: { classes: ["blue"] }\n`);
    await button('Try on the last 1,000 images').click();
    await button('Put in force').waitFor();
    writeFileSync(join(rig.dir, 'rules', 'other.yaml'), 'bins:\n  left: ["red"]\n');
    await rig.json(['bins', 'use', join(rig.dir, 'rules', 'other.yaml')]);
    await page.getByText('Somebody else has put other rules in force').waitFor();
    await button('Put in force').click();
    await dialog().getByRole('button', { name: 'Put in force' }).click();
    await page.getByText('version 3 of the bins is in force by now').waitFor();
  });

  it('compares two models on the same images, and shows where they differ', async () => {
    const corrections: { imageKey: string; label: string }[] = [];
    for (const label of [...colors, 'red', 'red'] as const)
      corrections.push({ imageKey: (await post(label, 'west')).imageKey, label });
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ corrections });
    const labelled = await fetch(`${url}/v1/corrections`, { method: 'POST', body, headers });
    expect(labelled.status).toBe(200);
    const plain = (await post('green', 'west')).imageKey;
    await open('models');
    const chosen = (name: string) => page.getByRole('combobox', { name, exact: true });
    const shown = (name: string) => chosen(name).locator('option:checked').textContent();
    await chosen('Model A').waitFor();
    // What is in use, and the latest other one.
    expect(await Promise.all(['Model A', 'Model B'].map(shown))).toEqual([
      expect.stringMatching(/^english@/) as string,
      expect.stringMatching(/^german@/) as string,
    ]);
    await chosen('Model B').selectOption({
      index: await chosen('Model A').evaluate(
        (one) => (one as unknown as { selectedIndex: number }).selectedIndex,
      ),
    });
    await page.getByText('Choose two different models.').waitFor();
    expect(await button('Compare').isDisabled()).toBe(true);
    await chosen('Model B').selectOption({
      label: (await chosen('Model B').locator('option', { hasText: 'german@' }).textContent())!,
    });
    await chosen('Images of').selectOption('west');
    await button('Compare').click();
    await page.getByRole('progressbar').waitFor();
    await page.getByText('They differ on 3 of 6 images').waitFor();
    const row = page.locator('.compared tbody tr').first();
    expect((await row.locator('td').allTextContents()).slice(1, 4)).toEqual(['100 %', '–', '0']);
    await page.getByText('Too early to say: 3 images with a label').waitFor();
    await page.getByText('only one of the models has the class: blue (1 image), green (1 image)').waitFor();
    const cards = page.locator('.compared .grid li');
    expect((await cards.locator('.name').allTextContents()).toSorted()).toEqual([
      'is blue',
      'is green',
      'no label',
    ]);
    expect(await cards.last().locator('.says').allTextContents()).toEqual([
      expect.stringMatching(/^A green [\d.]+ %$/) as string,
      expect.stringMatching(/^B grün [\d.]+ %$/) as string,
    ]);
    expect(await cards.last().locator('a').getAttribute('title')).toBe(plain);
    await cards.nth(2).locator('img').waitFor();
    await usable(page);
    // The address is that of the comparison.
    await page.reload();
    await page.getByText('They differ on 3 of 6 images').waitFor();
    await page.goto(`${url}/#/models?compare=none`);
    await page.getByText('there is no comparison with this id').waitFor();
  });

  it('switches a model after it has said what changes, and goes back', async () => {
    expect((await post('blue')).model.name).toBe('english');
    await open('models');
    await page.locator('td', { hasText: /^german@/ }).waitFor();
    await usable(page);
    await page.getByRole('button', { name: /^Use german@/ }).click();
    await dialog().getByText('Classes removed (2): green, blue').waitFor();
    await dialog().getByText('Classes added (2): grün, blau').waitFor();
    await usable(page);
    // The keyboard stays within, and is afterwards where it was.
    const focused = () => page.evaluate<string>('document.activeElement.textContent');
    expect(await focused()).toBe('Switch');
    await page.keyboard.press('Shift+Tab');
    expect(await focused()).toBe('Cancel');
    await page.keyboard.press('Enter');
    await dialog().waitFor({ state: 'detached' });
    expect(await focused()).toBe('Use');
    expect((await post('blue')).model.name).toBe('english');
    await page.getByRole('button', { name: /^Use german@/ }).click();
    await dialog().getByRole('button', { name: 'Switch' }).click();
    await page.getByText('the pipeline runs german@').waitFor();
    await consumer.said(/german/);
    // Until its consumer has loaded it, the former model goes on.
    let now = await post('blue');
    while (now.model.name !== 'german') now = await post('blue');
    expect(now.category).toBe('blau');

    await button('Go back one switch').click();
    await dialog().getByRole('button', { name: 'Switch' }).click();
    await page.getByText('the pipeline runs english@').waitFor();
    while (now.model.name !== 'english') now = await post('blue');
    expect(now.category).toBe('blue');
  });

  it('switches one belt, and shows which runs what', async () => {
    await page.getByRole('combobox', { name: 'Switch' }).selectOption({ label: 'belt north' });
    await page.getByRole('button', { name: /^Use german@/ }).click();
    await dialog().getByText('Switch belt north to german').waitFor();
    await dialog().getByRole('button', { name: 'Switch' }).click();
    await page.getByText('belt north runs german@').waitFor();
    await page.locator('dd', { hasText: /^german@/ }).waitFor();
    let now = await post('green');
    while (now.model.name !== 'german') now = await post('green');
    expect([now.category, (await post('green', 'south')).category]).toEqual(['grün', 'green']);
    await usable(page);
    expect(await rig.json(['model', 'history'])).toMatchObject([
      { belt: 'north' },
      { belt: null, current: expect.stringMatching(/^english@/) as string },
      { belt: null, current: expect.stringMatching(/^german@/) as string },
      { belt: null, former: null },
    ]);
  });

  it('forces rules that a model lacks only where that is said', async () => {
    await page.getByRole('combobox', { name: 'Switch' }).selectOption({ label: 'the pipeline' });
    writeFileSync(
      join(rig.dir, 'rules', 'green.yaml'),
      'bins:\n  left: ["green", "red"]\n  right: ["grün"]\n',
    );
    await rig.json(['bins', 'use', join(rig.dir, 'rules', 'green.yaml')]);
    await page.getByRole('button', { name: /^Use german@/ }).click();
    await dialog().getByText('the model has no label "green"').waitFor();
    await dialog().getByRole('button', { name: 'Switch anyway' }).waitFor();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });

  it('shows those who may only look all of it, and nothing to press', async () => {
    const { token, entry } = await rig.json<{ token: string; entry: string }>([
      'serve',
      '--new-token',
      'reader',
      '--role',
      'read',
    ]);
    const guarded = await serve({ VISIONSCALE_TOKENS: entry });
    await page.goto(`${guarded}/#/models`);
    await page.getByLabel('Token').fill(token);
    await button('Continue').click();
    await page
      .locator('td', { hasText: /^german@/ })
      .first()
      .waitFor();
    await page.getByText('You may look here, not act').waitFor();
    expect(await page.getByRole('button').allTextContents()).toEqual(['Forget the token']);
    await page.goto(`${guarded}/#/bins`);
    await page.getByText('Version 4, from green.yaml').waitFor();
    expect(await page.getByRole('textbox').count()).toBe(0);
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(complaints).toEqual([]);
  });
});
