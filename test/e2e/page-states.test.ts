/** How the live page looks when its data are late, old, failed or not there: each state is told, in words, and usable. */
import { join } from 'node:path';
import type { Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { texts } from '../../web/texts.ts';
import { writeColorModel } from '../support/color-model.ts';
import { newPage, type OpenedPage, openLivePage, usable } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const api = '**/v1/**';

describeWith('browser', 'states of the live page', (executablePath) => {
  let world: OpenedPage;
  let page: Page | undefined;

  beforeAll(async () => {
    world = await openLivePage(executablePath, ({ env, dir }) => {
      env['VISIONSCALE_MODEL'] = writeColorModel(join(dir, 'model'));
    });
  });
  afterEach(() => page?.close());
  afterAll(() => world?.[Symbol.asyncDispose]());

  const visit = async (view: string, answer?: (route: Route) => unknown): Promise<Page> => {
    page = await newPage(world.browser, world.complaints);
    if (answer !== undefined) await page.route(api, answer);
    await page.goto(`${world.url}/#/${view}`);
    return page;
  };
  const fail = (route: Route) => {
    const problem = { code: 'x', detail: 'the database does not answer', hint: 'Check that it runs.' };
    return route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify(problem) });
  };

  it('says that nothing is there yet, and what to do', async () => {
    const page = await visit('bins');
    await page.locator('.notice.empty', { hasText: texts.bins.none }).waitFor();
    await page.getByText(texts.bins.noneHint).waitFor();
    // The editor begins with classes of the model in use, and says before what it does not keep.
    const rules = page.getByLabel(texts.bins.rules);
    await expect.poll(() => rules.inputValue(), { timeout: 30_000 }).toContain('left: ["red", "green"]\n');
    await page.getByRole('button', { name: texts.bins.try }).click();
    await page.getByRole('region', { name: texts.bins.tried(0) }).waitFor();
    expect(await page.getByText(texts.bins.faults).count()).toBe(0);
    expect(await page.getByText(texts.bins.noComments).count()).toBe(0);
    await rules.fill(`# mine\n${await rules.inputValue()}`);
    await page.getByText(texts.bins.noComments).waitFor();
    await usable(page);
    await page.goto(`${world.url}/#/belt`);
    await page.locator('.notice.empty', { hasText: texts.belt.none }).waitFor();
  });

  it('says that it loads where the server takes its time', async () => {
    const page = await visit('bins', () => undefined);
    await page.locator('.notice.loading').first().waitFor();
    // It fades in.
    await page.evaluate(
      'Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => null)',
    );
    await usable(page);
  });

  it('tells what failed and what to do, and goes on when it is over', async () => {
    const page = await visit('bins', fail);
    await page.locator('.notice.error', { hasText: 'Check that it runs.' }).waitFor();
    await expect
      .poll(() => page.title())
      .toBe(`⚠ ${texts.views.bins} · ${texts.title} · ${texts.tab.trouble}`);
    await usable(page);
    await page.unroute(api);
    await page.locator('.notice.empty', { hasText: texts.bins.none }).waitFor();
    // Each part of the view asks in its own time.
    await expect.poll(() => page.locator('.notice.error').count(), { timeout: 30_000 }).toBe(0);
  });

  it('says that the server is away, greys what is old, and takes it back', async () => {
    const page = await visit('bins');
    await page.locator('.notice.empty').waitFor();
    await expect.poll(() => page.title()).toBe(`${texts.views.bins} · ${texts.title} · ${texts.tab.well}`);
    const icon = () => page.locator('link[rel=icon]').getAttribute('href');
    expect(await icon()).toBe('/page/icon.svg');
    await page.route(api, (route) => route.abort());
    await page.locator('.away-bar', { hasText: texts.lost }).waitFor();
    await page.locator('.stale').first().waitFor();
    await expect.poll(() => page.title()).toBe(`⚠ ${texts.views.bins} · ${texts.title} · ${texts.tab.away}`);
    expect(await icon()).toBe('/page/icon-trouble.svg');
    await usable(page);
    await page.unroute(api);
    await expect.poll(() => page.locator('.stale, .away-bar').count(), { timeout: 30_000 }).toBe(0);
    expect(await icon()).toBe('/page/icon.svg');
  });

  it('shows something at any address', async () => {
    const page = await visit('image/100%');
    await page.locator('.notice.empty', { hasText: texts.image.missing }).waitFor();
  });

  it('opens its views from a button on a phone', async () => {
    const page = await visit('bins');
    await page.setViewportSize({ width: 390, height: 844 });
    const models = page.getByRole('link', { name: texts.views.models });
    await page.locator('.menu').waitFor();
    expect(await models.count()).toBe(0);
    await page.locator('.menu').click();
    expect((await models.boundingBox())!.height).toBeGreaterThanOrEqual(44);
    await page.keyboard.press('Escape');
    await expect.poll(() => models.count()).toBe(0);
    await page.locator('.menu').click();
    await models.click();
    await page.getByRole('heading', { name: texts.views.models, exact: true }).waitFor();
    expect(await models.count()).toBe(0);
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(world.complaints).toEqual([]);
  });
});
