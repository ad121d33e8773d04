/** The live page in a browser, on the built binary: what it shows is what is there, and what is done on it is done. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Rig, Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { loseImage, type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

describeWith('browser', 'the live page', (executablePath) => {
  let world: OpenedPage;
  let rig: Rig;
  let page: Page;
  let consumers: Running[];

  beforeAll(async () => {
    world = await openLivePage(executablePath, ({ env, dir }) => {
      env['VISIONSCALE_MODEL'] = writeColorModel(join(dir, 'model'));
    });
    ({ rig, page } = world);
    consumers = [rig.start(['consume'])];
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const post = async (n: number) => {
    const body = new Uint8Array(await colorImage(colors[n % 3]!, n));
    const headers = { 'visionscale-image-name': `${n}.png`, 'visionscale-belt': 'north' };
    const response = await fetch(`${world.url}/v1/images?wait=30s`, { method: 'POST', body, headers });
    expect(response.status).toBe(200);
    return ((await response.json()) as { id: string }).id;
  };
  const tile = (name: string) =>
    page.locator('.tile', { has: page.locator('h3', { hasText: name }) }).locator('.value');
  const open = (view: string) => world.open(view);
  const usable = () => world.usable();

  it('shows what is there now, as `status` does', async () => {
    for (let n = 0; n < 6; n++) await post(n);
    await open('');
    await page.getByText('All well').waitFor();
    const status = await rig.json<{ partitions: { owner: string }[]; predictions: number }>(['status']);
    const { owner } = status.partitions[0]!;
    await page.locator('tbody').getByText(owner).first().waitFor();
    const consumer = page.locator('tr', { hasText: owner }).first();
    for (const told of [/^\d\.\d\d$/, /^\d+ MB$/]) await consumer.getByText(told).waitFor();
    // A result may be there before the topic is asked again.
    await expect.poll(() => tile('Waiting').textContent(), { timeout: 60_000 }).toBe('0');
    await expect.poll(() => tile('Consumers').textContent(), { timeout: 60_000 }).toBe('1');
    expect(status.predictions).toBe(6);
    const activity = (await (await fetch(`${world.url}/v1/activity`)).json()) as {
      points: { done: number }[];
    };
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
    const { rows } = await world.database.pool.query<{ key: string; belt: string }>(
      "select image_key as key, belt from prediction_results where category = 'green' order by id desc limit 1",
    );
    for (const told of [rows[0]!.key, 'north', 'colors'])
      await page.locator('dd', { hasText: told }).first().waitFor();
    await page.locator('.one img').waitFor();
    await usable();
  });

  it('sends a dead letter again, which becomes a prediction', async () => {
    const bringBack = await loseImage(rig);
    await open('dead-letters');
    await page.getByText('not_found').first().waitFor();
    await usable();
    bringBack();
    await page.getByLabel('Select all shown').check();
    await page.getByRole('button', { name: 'Retry', exact: true }).click();
    const dialog = page.getByRole('alertdialog');
    await dialog.getByText('Send 1 dead letter').waitFor();
    await dialog.getByRole('button', { name: 'Retry' }).click();
    await page.getByText('Sent 1 dead letter again').waitFor();
    await page.getByText('No open dead letters').waitFor();
    const { rows } = await world.database.pool.query(
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
    world.server.process.kill('SIGTERM');
    await world.server.ended;
    await page.getByText(/Last answer \d+ s ago/).waitFor();
    await world.serve();
    await page.getByText('Live').waitFor();
    await page.locator('.verdict').waitFor();
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(world.complaints).toEqual([]);
  });
});
