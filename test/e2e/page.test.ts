/** The live page in a browser, on the built binary: what it shows is what is there, and what is done on it is done. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { describeWith } from '../support/servers.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describeWith('browser', 'the live page', (executablePath) => {
  let rig: Rig;
  let database: Database;
  let browser: Browser;
  let page: Page;
  let url: string;
  let server: Running;
  let consumers: Running[];
  /** What the browser complains of: a policy that is broken, a script that fails. */
  const complaints: string[] = [];

  async function serve(port: string): Promise<void> {
    server = rig.start(['serve', '--json', '--drain-delay', '0', '--port', port]);
    let told = '';
    server.process.stderr!.on('data', (chunk: string) => (told += chunk));
    await server.said(/listening on/);
    url = /listening on (http:\/\/[^"\s]+)/.exec(told)![1]!;
  }

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    await serve('0');
    consumers = [rig.start(['consume'])];
    database = await openDatabase(loadConfig(rig.env).database);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      const text = message.text();
      // Answers with 4xx and 5xx, and none at all, are told of as errors; tests look at what the page makes of them.
      if (message.type() === 'error' && !text.startsWith('Failed to load resource')) complaints.push(text);
    });
    page.setDefaultTimeout(60_000);
  });
  afterAll(async () => {
    await browser?.close();
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  const post = async (n: number) => {
    const body = new Uint8Array(await colorImage(colors[n % 3]!, n));
    const headers = { 'visionscale-image-name': `${n}.png`, 'visionscale-belt': 'north' };
    const response = await fetch(`${url}/v1/images?wait=30s`, { method: 'POST', body, headers });
    expect(response.status).toBe(200);
    return ((await response.json()) as { id: string }).id;
  };
  const tile = (name: string) =>
    page.locator('.tile', { has: page.locator('h3', { hasText: name }) }).locator('.value');
  const open = (view: string) => page.goto(`${url}/#/${view}`);
  /** Nothing serious for those who do not see it, or use no mouse; and nothing beyond the edge of a phone. */
  const usable = async () => {
    // Not as a script of the page, which its policy refuses.
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const { axe: judge } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: Violation[] }> };
      };
      return (await judge.run()).violations;
    });
    const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    // A function that waits in the page is evaluated there, which its policy refuses.
    await expect
      .poll(() => page.evaluate<number>('document.documentElement.scrollWidth'))
      .toBeLessThanOrEqual(390);
    await page.setViewportSize({ width: 1280, height: 900 });
  };
  interface Violation {
    id: string;
    impact: string;
    nodes: { html: string }[];
  }

  it('shows what is there now, as `status` does', async () => {
    for (let n = 0; n < 6; n++) await post(n);
    await open('');
    await page.getByText('All well').waitFor();
    const status = await rig.json<{ partitions: { owner: string }[]; predictions: number }>(['status']);
    await page.locator('tbody').getByText(status.partitions[0]!.owner).first().waitFor();
    expect(await tile('Waiting').textContent()).toBe('0');
    expect(await tile('Consumers').textContent()).toBe('1');
    expect(status.predictions).toBe(6);
    const activity = (await (await fetch(`${url}/v1/activity`)).json()) as { points: { done: number }[] };
    expect(activity.points.reduce((sum, { done }) => sum + done, 0)).toBe(6);
    await page.locator('.chart canvas').nth(1).waitFor();
    await usable();
  });

  it('shows images, finds them, and tells all of one', async () => {
    await open('images');
    await page.locator('.grid img').nth(5).waitFor();
    await usable();
    await page.getByLabel('Category').fill('green');
    await page.getByRole('button', { name: 'Search' }).click();
    await expect.poll(() => page.locator('.grid li').count(), { timeout: 60_000 }).toBe(2);
    expect(await page.locator('.grid .name').allTextContents()).toEqual(['green', 'green']);
    await page.locator('.grid a').first().click();
    await page.getByRole('heading', { name: 'What the model says' }).waitFor();
    const { rows } = await database.pool.query<{ key: string; belt: string }>(
      "select image_key as key, belt from prediction_results where category = 'green' order by id desc limit 1",
    );
    for (const told of [rows[0]!.key, 'north', 'colors'])
      await page.locator('dd', { hasText: told }).first().waitFor();
    await page.locator('.one img').waitFor();
    await usable();
  });

  it('sends a dead letter again, which becomes a prediction', async () => {
    const folder = join(rig.dir, 'lost');
    mkdirSync(folder);
    const image = await colorImage('blue', 77);
    writeFileSync(join(folder, 'a.png'), image);
    await rig.json(['upload', folder]);
    const object = join(rig.dir, 'data', 'images', 'a.png');
    rmSync(object);
    await rig.json(['produce']);
    await open('dead-letters');
    await page.getByText('not_found').first().waitFor();
    await usable();
    writeFileSync(object, image);
    await page.getByLabel('Select all shown').check();
    await page.getByRole('button', { name: 'Retry' }).click();
    const dialog = page.getByRole('alertdialog');
    await dialog.getByText('Send 1 dead letter').waitFor();
    await dialog.getByRole('button', { name: 'Retry' }).click();
    await page.getByText('Sent 1 dead letter again').waitFor();
    await page.getByText('No open dead letters').waitFor();
    const { rows } = await database.pool.query(
      `select p.category, d.state from prediction_results p join dead_letters d using (pipeline, request_id)`,
    );
    expect(rows).toEqual([{ category: 'blue', state: 'resolved' }]);
  });

  it('shows that a consumer was killed and another has taken over', async () => {
    await open('');
    consumers.push(rig.start(['consume']));
    await page.getByText('1 standing by').waitFor();
    const [first] = (await rig.json<{ partitions: { owner: string }[] }>(['status'])).partitions;
    consumers[0]!.process.kill('SIGKILL');
    const partitions = page.locator('section', { has: page.getByRole('heading', { name: 'Partitions' }) });
    const second = (await rig.json<{ consumers: { owner: string }[] }>(['status'])).consumers.find(
      ({ owner }) => owner !== first!.owner,
    );
    await partitions.locator('td', { hasText: second!.owner }).waitFor();
    await page.locator('tr', { hasText: first!.owner }).getByText('silent').waitFor();
    expect(await post(100)).not.toBe('');
  });

  it('says when the server is away, and goes on when it is back', async () => {
    const { port } = new URL(url);
    server.process.kill('SIGTERM');
    await server.ended;
    await page.getByText(/Last answer \d+ s ago/).waitFor();
    await serve(port);
    await page.getByText('Live').waitFor();
    await page.locator('.verdict').waitFor();
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(complaints).toEqual([]);
  });
});
