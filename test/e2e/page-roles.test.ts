/** Who may do what on the live page: it asks for a token once, shows what the token allows, and the server holds to the same. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { texts } from '../../web/texts.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const roles = ['read', 'ingest', 'operate'] as const;
type Role = (typeof roles)[number];

/** What acts, by view, as those who may act see it. */
const acting = {
  'dead-letters': (page: Page) => page.getByRole('button', { name: texts.letters.retry }),
  bins: (page: Page) => page.getByRole('button', { name: texts.bins.try }),
  models: (page: Page) => page.getByRole('button', { name: texts.models.useNamed('') }),
  label: (page: Page) => page.getByRole('button', { name: texts.label.confirm }),
};

/** What changes something, and the least that it wants to hear. */
const acts: Record<string, unknown> = {
  '/v1/dead-letters/retry': { ids: [987_654_321] },
  '/v1/dead-letters/drop': { ids: [987_654_321] },
  '/v1/bins/use': { rules: 'manual: m\nbins: {}\n', version: null },
  '/v1/bins/rollback': { version: 1 },
  '/v1/models/use': { digest: `sha256:${'0'.repeat(64)}` },
  '/v1/models/rollback': {},
  '/v1/corrections': { corrections: [{ imageKey: 'a', label: 'red' }] },
  '/v1/corrections/undo': { corrections: [{ imageKey: 'a', label: 'red', former: null }] },
};

describeWith('browser', 'roles on the live page', (executablePath) => {
  let world: OpenedPage;
  let context: BrowserContext | undefined;
  const tokens = {} as Record<Role, string>;

  beforeAll(async () => {
    world = await openLivePage(executablePath, async (rig) => {
      const model = writeColorModel(join(rig.dir, 'model'), 'colors');
      await rig.json(['model', 'add', model, '--name', 'colors']);
      await rig.json(['init']);
      await rig.json(['model', 'use', 'colors']);
      const entries: string[] = [];
      for (const role of roles) {
        const made = await rig.json<{ token: string; entry: string }>([
          'serve',
          '--new-token',
          `desk-${role}`,
          '--role',
          role,
        ]);
        tokens[role] = made.token;
        entries.push(made.entry);
      }
      rig.env['VISIONSCALE_TOKENS'] = entries.join(',');
    });
    const { rig } = world;
    rig.start(['consume']);
    const folder = join(rig.dir, 'two');
    mkdirSync(folder);
    for (const [n, name] of ['kept.png', 'lost.png'].entries())
      writeFileSync(join(folder, name), await colorImage('red', n));
    await rig.json(['upload', folder]);
    rmSync(join(rig.dir, 'data', 'images', 'lost.png'));
    await rig.json(['produce']);
    await vi.waitFor(
      async () => expect(await rig.json(['status'])).toMatchObject({ predictions: 1, deadLetters: 1 }),
      { timeout: 60_000 },
    );
  });
  afterEach(() => context?.close());
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** A browser that has not been there before. */
  const visit = async (address: string): Promise<Page> => {
    context = await world.browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    page.on('pageerror', (error) => world.complaints.push(error.message));
    await page.goto(address);
    return page;
  };
  const enter = async (page: Page, role: Role) => {
    await page.getByLabel(texts.token.label).fill(tokens[role]);
    await page.getByRole('button', { name: texts.token.enter }).click();
  };
  const says = (page: Page, text: string) =>
    expect.poll(() => page.locator('.who .pill').textContent(), { timeout: 20_000 }).toBe(text);
  const open = (page: Page, view: string) => page.goto(`${world.url}/#/${view}`);
  /** What is there to act with, once the data of each view are there. */
  const found = async (page: Page): Promise<Record<string, number>> => {
    const counts: Record<string, number> = {};
    const data = { 'dead-letters': 'not_found', bins: texts.bins.none, models: 'colors', label: 'red' };
    for (const [view, text] of Object.entries(data)) {
      await open(page, view);
      await page.locator('main').getByText(text).first().waitFor();
      await page.locator('.who').waitFor();
      counts[view] = await acting[view as keyof typeof acting](page).count();
    }
    return counts;
  };
  const refused = async (role: Role, path: string, init: RequestInit) => {
    const headers = { ...(init.headers as object), authorization: `Bearer ${tokens[role]}` };
    const response = await fetch(`${world.url}${path}`, { method: 'POST', ...init, headers });
    const { code } = (await response.json()) as { code?: string };
    return response.status === 403 && code === 'forbidden';
  };
  const refusedActs = async (role: Role) => {
    const answers = Object.entries(acts).map(async ([path, body]): Promise<[string, boolean]> => {
      const headers = { 'content-type': 'application/json' };
      return [path, await refused(role, path, { headers, body: JSON.stringify(body) })];
    });
    return (await Promise.all(answers)).filter(([, is]) => is).map(([path]) => path);
  };

  it('asks for a token once, keeps it over a reload, and forgets it on demand', async () => {
    const page = await visit(`${world.url}/#/bins`);
    await page.getByRole('heading', { name: texts.token.heading }).waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.getByLabel(texts.token.label).fill('not one');
    await page.getByRole('button', { name: texts.token.enter }).click();
    await page.getByText(texts.token.wrong).waitFor();
    expect([...new Set(asked)]).toEqual(['/v1/access']);
    await enter(page, 'read');
    await page.getByText(texts.bins.none).waitFor();
    await page.reload();
    await page.getByText(texts.bins.none).waitFor();
    expect(await page.getByLabel(texts.token.label).count()).toBe(0);
    await page.getByRole('button', { name: texts.token.forget }).click();
    await page.getByRole('heading', { name: texts.token.heading }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: texts.token.heading }).waitFor();
  });

  it('lets the role read look, and nothing else', async () => {
    const page = await visit(world.url);
    await enter(page, 'read');
    await says(page, `desk-read: ${texts.rights.read}`);
    expect(await found(page)).toEqual({ 'dead-letters': 0, bins: 0, models: 0, label: 0 });
    await open(page, 'try');
    await page.getByText(texts.tryIt.readOnly).waitFor();
    expect(await page.locator('input[type=file]').count()).toBe(0);
    expect(await refusedActs('read')).toEqual(Object.keys(acts));
    const headers = { 'content-type': 'image/png' };
    const body = new Uint8Array(await colorImage('green', 7));
    expect(await refused('read', '/v1/images', { headers, body })).toBe(true);
  });

  it('lets the role ingest send images too, and act on nothing', async () => {
    const page = await visit(world.url);
    await enter(page, 'ingest');
    await says(page, `desk-ingest: ${texts.rights.write}`);
    expect(await found(page)).toEqual({ 'dead-letters': 0, bins: 0, models: 0, label: 0 });
    expect(await refusedActs('ingest')).toEqual(Object.keys(acts));
    await open(page, 'try');
    const buffer = await colorImage('green', 8);
    await page
      .locator('input[type=file]')
      .first()
      .setInputFiles({ name: 'mine.png', mimeType: 'image/png', buffer });
    await page.locator('.trials > li', { hasText: 'mine.png' }).getByText(texts.tryIt.states.done).waitFor();
  });

  it('lets the role operate act', async () => {
    const page = await visit(world.url);
    await enter(page, 'operate');
    await says(page, `desk-operate: ${texts.rights.operate}`);
    await expect.poll(() => found(page)).toEqual({ 'dead-letters': 2, bins: 1, models: 1, label: 1 });
    expect(await refusedActs('operate')).toEqual([]);
  });

  it('without tokens lets this machine act, and others look', async () => {
    const { rig } = world;
    const serve = async (host: string): Promise<string> => {
      const server = rig.start(['serve', '--json', '--host', host, '--port', '0'], {
        VISIONSCALE_TOKENS: '',
      });
      let told = '';
      server.process.stderr!.on('data', (chunk: string) => (told += chunk));
      await server.said(/listening on/);
      return `http://127.0.0.1:${/listening on http:\/\/[^"\s]+:(\d+)/.exec(told)![1]!}`;
    };
    const here = await visit(await serve('127.0.0.1'));
    await here.getByText(texts.rights.operate).waitFor();
    await here.close();
    const address = await serve('0.0.0.0');
    const page = await visit(address);
    await page.getByText(texts.rights.read).waitFor();
    await page.goto(`${address}/#/dead-letters`);
    await page.getByText('not_found').first().waitFor();
    expect(await acting['dead-letters'](page).count()).toBe(0);
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(acts['/v1/dead-letters/drop']);
    const response = await fetch(`${address}/v1/dead-letters/drop`, { method: 'POST', headers, body });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, 'read_only']);
  });

  it('breaks no rule of its policy and none of its scripts', () => {
    expect(world.complaints).toEqual([]);
  });
});
