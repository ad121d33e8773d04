/** The live page in a browser: many images of the viewer's own are all sent, whichever view is shown, and whatever is away meanwhile. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { texts } from '../../web/texts.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const { tryIt: t } = texts;
const api = '**/v1/images';
const patient = { timeout: 60_000 };

describeWith('browser', 'images that are tried', (executablePath) => {
  let world: OpenedPage;
  let page: Page;
  let files: { name: string; mimeType: string; buffer: Buffer }[];

  beforeAll(async () => {
    world = await openLivePage(executablePath, ({ env, dir }) => {
      env['VISIONSCALE_MODEL'] = writeColorModel(join(dir, 'model'));
    });
    ({ page } = world);
    world.rig.start(['consume']);
    files = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => ({
        name: `a_${n}.png`,
        mimeType: 'image/png',
        buffer: Buffer.from(await colorImage(colors[n % 3]!, n)),
      })),
    );
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const choose = (some: typeof files) => page.getByLabel(t.choose).setInputFiles(some);
  const told = (counts: Parameters<typeof t.counts>[0]) =>
    page.getByRole('status').filter({ hasText: t.counts(counts) });
  const rows = () => page.locator('.trials > li').count();

  it('wait while the server is busy, are sent from any view, and are asked about before they are lost', async () => {
    await world.open('try');
    await page.route(api, (route) =>
      route.fulfill({ status: 429, json: { code: 'busy', detail: 'too many images are in flight' } }),
    );
    await choose(files);
    await page.getByText(t.busy('too many images are in flight')).waitFor();
    await told({ sent: 0, classified: 0, failed: 0, waiting: 60 }).waitFor();
    expect(await rows()).toBe(50);
    await world.usable();
    await page.getByRole('button', { name: t.more(10) }).click();
    await expect.poll(rows).toBe(60);
    const asked = page.waitForEvent('dialog');
    void page.reload().catch(() => undefined);
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.dismiss();
    await page.getByRole('link', { name: texts.views.bins }).click();
    await page.locator('.notice.empty').waitFor();
    await page.unroute(api);
    const done = async () =>
      (
        await world.database.pool.query<{ n: number }>(
          'select count(distinct request_id)::int as n from prediction_results',
        )
      ).rows[0]!.n;
    await expect.poll(done, patient).toBe(60);
    await page.getByRole('link', { name: texts.views.tryIt }).click();
    await told({ sent: 60, classified: 60, failed: 0, waiting: 0 }).waitFor();
    expect(await page.locator('.trials > li strong').first().textContent()).toBe('a_59.png');
    // Nothing is lost any more.
    await page.reload();
    await page.getByText(t.drop).waitFor();
    expect(await rows()).toBe(0);
  });

  it('that failed within the server are sent again together', async () => {
    await page.route(api, (route) =>
      route.fulfill({ status: 500, json: { code: 'internal', detail: 'it broke' } }),
    );
    await choose(files.slice(0, 3));
    await told({ sent: 0, classified: 0, failed: 3, waiting: 0 }).waitFor();
    await page.unroute(api);
    await page.getByRole('button', { name: t.allAgain(3) }).click();
    await told({ sent: 3, classified: 3, failed: 0, waiting: 0 }).waitFor();
  });

  it('wait for a server that is away, and what is gone from the disk holds up none', async () => {
    const gone = join(world.rig.dir, 'gone.png');
    writeFileSync(gone, files[0]!.buffer);
    await page.route(api, (route) => route.abort());
    await page.getByLabel(t.choose).setInputFiles(gone);
    await page.getByRole('alert').filter({ hasText: texts.lost }).first().waitFor();
    rmSync(gone);
    await choose(files.slice(0, 2));
    await page.getByRole('alert').filter({ hasText: texts.lost }).first().waitFor();
    await page.unroute(api);
    await told({ sent: 5, classified: 5, failed: 1, waiting: 0 }).waitFor();
    await page.locator('.trials > li', { hasText: 'gone.png' }).getByText(t.unreadable).waitFor();
  });

  it('break no rule of the policy and no script', () => {
    expect(world.complaints).toEqual([]);
  });
});
