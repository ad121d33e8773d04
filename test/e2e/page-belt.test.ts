/** The belt view and trying one's own images, in a browser on the built binary: nothing is lost, nothing counted twice. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { colorImage, writeTellingColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const rules = `
manual: manual
unknown: foreign
bins:
  left: [red]
  right: { classes: [green], confidence: 100 }
`;
/** To left, to manual for being unsure, to manual for having no bin, to foreign. */
const kinds = ['red', 'green', 'blue', 'white'] as const;

describeWith('browser', 'the belt on the live page', (executablePath) => {
  let world: OpenedPage;
  let sent = 0;

  beforeAll(async () => {
    world = await openLivePage(executablePath, (rig) => {
      rig.env['VISIONSCALE_MODEL'] = writeTellingColorModel(join(rig.dir, 'model'));
    });
    const { rig } = world;
    writeFileSync(join(rig.dir, 'bins.yaml'), rules);
    await rig.json(['bins', 'use', 'bins.yaml']);
    rig.start(['consume']);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** Sends images and resolves when each is a row. */
  const send = async (count: number) => {
    await begin(count);
    await rowsReach(sent);
  };
  const begin = async (count: number) => {
    const { rig } = world;
    const folder = `batch ${sent}`;
    mkdirSync(join(rig.dir, folder));
    for (let n = sent; n < sent + count; n++)
      writeFileSync(join(rig.dir, folder, `${n}.png`), await colorImage(kinds[n % 4]!, n));
    sent += count;
    await rig.json(['upload', folder]);
    await rig.json(['produce']);
  };
  const rowsReach = async (count: number) => {
    await expect
      .poll(() => rows('0').then((all) => all.reduce((sum, [, n]) => sum + n, 0)), { timeout: 120_000 })
      .toBe(count);
  };
  const rows = async (after: string) => {
    const found = await world.database.pool.query<{ bin: string; n: number }>(
      'select bin, count(*)::int as n from prediction_results where id > $1 group by bin order by bin',
      [after],
    );
    return found.rows.map(({ bin, n }): [string, number] => [bin, n]);
  };
  const latestRow = async () =>
    (
      await world.database.pool.query<{ id: string }>(
        'select coalesce(max(id), 0)::text as id from prediction_results',
      )
    ).rows[0]!.id;
  /** As the page shows them; bins without a result left out, as the database does. */
  const shown = async () => {
    const columns = await world.page
      .locator('.belt-bin')
      .evaluateAll((all) =>
        (all as unknown as { querySelector(selector: string): { textContent: string } }[]).map(
          (one): [string, number] => [
            one.querySelector('h3').textContent,
            Number(one.querySelector('.value').textContent.replaceAll(/\D/g, '')),
          ],
        ),
      );
    return columns.filter(([, n]) => n > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  };
  const agrees = async (after: string) => expect.poll(shown, { timeout: 60_000 }).toEqual(await rows(after));
  const live = () => world.page.locator('.belt-head .pill.ok').waitFor();
  const lost = () => world.page.getByText(/Not connected for/).waitFor();
  const stop = async () => {
    world.server.process.kill('SIGTERM');
    await world.server.ended;
  };

  it('counts every result from the moment it is opened, by bin', async () => {
    await send(4);
    const before = await latestRow();
    await world.open('belt');
    await live();
    await send(200);
    await agrees(before);
    expect(await shown()).toEqual([
      ['foreign', 50],
      ['left', 50],
      ['manual', 100],
    ]);
    const manual = world.page.locator('.belt-bin.manual');
    await manual.getByText('confidence too low: 50').waitFor();
    await manual.getByText('no rule has its class: 50').waitFor();
    await world.page.locator('.belt-bin canvas').first().waitFor();
    // Tiles fade on their way: what stands still is judged.
    await expect.poll(() => world.page.locator('.belt-tile').count(), { timeout: 60_000 }).toBe(0);
    await world.usable();
  });

  it('marks what is unknown or unsure on its way', async () => {
    // Begun before they come: each is on the lane for some seconds.
    const mark = (text: string) => world.page.locator('.belt-tile em', { hasText: text }).first().waitFor();
    const seen = Promise.all([mark('unknown'), mark('unsure')]);
    await send(40);
    await seen;
  });

  it('loses and doubles nothing when the server is started again, with results meanwhile and before any came', async () => {
    await world.open('');
    await world.page.getByRole('heading', { name: 'Now' }).waitFor();
    const before = await latestRow();
    await world.open('belt');
    await live();
    for (const count of [20, 60]) {
      await stop();
      await lost();
      await send(count);
      await world.serve();
      await live();
      await agrees(before);
    }
    // In the middle of the stream.
    await begin(100);
    await stop();
    await world.serve();
    await rowsReach(sent);
    await agrees(before);
    expect((await shown()).reduce((sum, [, n]) => sum + n, 0)).toBe(180);
  });

  it('shows the latest in large type, which Escape leaves', async () => {
    await world.page.getByRole('button', { name: 'Large type' }).click();
    const big = world.page.getByRole('dialog');
    await big.getByText('Waiting').waitFor();
    await send(1);
    const { rows: last } = await world.database.pool.query<{ category: string; bin: string }>(
      'select category, bin from prediction_results order by id desc limit 1',
    );
    await big.locator('.big-name', { hasText: last[0]!.category }).waitFor();
    await big.locator('.big-bin', { hasText: last[0]!.bin }).waitFor();
    await big.locator('canvas').waitFor();
    expect((await big.locator('.big-name').boundingBox())!.height).toBeGreaterThan(40);
    await world.usable();
    await world.page.keyboard.press('Escape');
    await big.waitFor({ state: 'detached' });
    expect(world.page.url()).toMatch(/#\/belt$/);
  });

  it('tries an image that is dropped, and says why a text is none', async () => {
    const { page } = world;
    await world.open('try');
    const image = [...(await colorImage('red', 5000))];
    await page.getByText('Drop images here').waitFor();
    await page.evaluate(`
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(${JSON.stringify(image)})], 'Schräg.png', { type: 'image/png' }));
      data.items.add(new File(['no image'], 'notes.txt', { type: 'text/plain' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
    `);
    const row = (name: string) => page.locator('.trials > li', { hasText: name });
    await row('Schräg.png').getByText('classified').waitFor();
    await row('Schräg.png').getByText('→ left').waitFor();
    expect(await row('Schräg.png').locator('.top li').count()).toBe(3);
    await row('notes.txt').getByText('a body of type text/plain is not an image').waitFor();
    await row('notes.txt').getByText('Send the image itself').waitFor();
    await world.usable();
    const { rows: found } = await world.database.pool.query<{ key: string }>(
      'select image_key as key from prediction_results order by id desc limit 1',
    );
    expect(found[0]!.key).toMatch(/\/Schräg\.png$/);
    await row('Schräg.png').getByRole('link').click();
    await page.locator('dd', { hasText: found[0]!.key }).waitFor();
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(world.complaints).toEqual([]);
  });
});
