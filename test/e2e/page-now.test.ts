/** The view Now of the live page in a browser: rates, lag, belts, what to do first, and servers that are away. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StatusVerdict, verdictKinds } from '../../src/lib/pipeline/status-verdict.ts';
import type { Rig, Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { childrenOf } from '../support/processes.ts';
import { describeWith } from '../support/servers.ts';

interface Activity {
  seconds: number;
  deadlineMs: number | null;
  points: { done: number; late: number; came: number | null; waiting: number | null }[];
}

interface Status {
  partitions: { lag: number | null }[];
  consumers: { owner: string }[];
  servers: Record<'topic', { reachable: boolean; reason: string | null }>;
  drift: unknown[];
  away: unknown[];
  verdict: StatusVerdict;
}

const patience = { timeout: 60_000 };

describeWith('browser', 'the live page, now', (executablePath) => {
  let world: OpenedPage;
  let rig: Rig;
  let page: Page;
  let consumer: Running;

  beforeAll(async () => {
    world = await openLivePage(executablePath, ({ env, dir }) => {
      env['VISIONSCALE_MODEL'] = writeColorModel(join(dir, 'model'));
      // Nothing is as fast.
      env['VISIONSCALE_DEADLINE'] = '1ms';
    });
    ({ rig, page } = world);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const post = async (n: number) => {
    const body = new Uint8Array(await colorImage(colors[n % 3]!, n));
    const headers = {
      'visionscale-image-name': `${n}.png`,
      ...(n % 2 === 0 && { 'visionscale-belt': 'north' }),
    };
    expect((await fetch(`${world.url}/v1/images`, { method: 'POST', body, headers })).ok).toBe(true);
  };
  const activity = async () => (await (await fetch(`${world.url}/v1/activity`)).json()) as Activity;
  const status = () => rig.json<Status>(['status', '--exit-zero']);
  const tile = (name: string) =>
    page.locator('.tile', { has: page.getByRole('heading', { name, exact: true }) });
  const value = (name: string) => tile(name).locator('.value').textContent();
  const verdict = () => page.locator('div.verdict');
  const chart = (title: RegExp) => page.getByRole('figure', { name: title });
  const lagOf = ({ partitions }: Status) => partitions.reduce((sum, { lag }) => sum + lag!, 0);

  it('shows what waits before there is a consumer, and the command that starts one', async () => {
    for (let n = 0; n < 6; n++) await post(n);
    await world.open('');
    await expect.poll(() => value('Waiting'), patience).toBe('6');
    const found = await status();
    expect([lagOf(found), found.verdict.kind]).toEqual([6, 'no_consumer']);
    await expect.poll(() => verdict().locator('p').textContent(), patience).toBe(found.verdict.finding);
    expect(await verdict().locator('code').textContent()).toBe('visionscale consume --partition 0');
    await verdict().getByRole('button', { name: /^Copy/ }).click();
    await verdict().getByText('Copied').waitFor();
    await expect
      .poll(async () => (await activity()).points.some(({ waiting }) => waiting === 6), patience)
      .toBe(true);
    await chart(/waiting/)
      .getByText('Waiting: last 6, at most 6.')
      .waitFor({ state: 'attached' });
    await world.usable();
  });

  it('shows rates, lag and what was late, as `status` and /v1/activity tell them', async () => {
    consumer = rig.start(['consume']);
    await expect.poll(() => value('Waiting'), patience).toBe('0');
    for (let n = 6; n < 20; n++) await post(n);
    await expect.poll(async () => lagOf(await status()), patience).toBe(0);
    const rateOf = ({ points, seconds }: Activity) => {
      const past = points.slice(-4, -1);
      const done = past.reduce((sum, one) => sum + one.done, 0) / past.length / seconds;
      return `${done.toLocaleString('en-US', { maximumFractionDigits: done < 10 ? 1 : 0 })} images/s`;
    };
    await expect
      .poll(async () => {
        const [shown, told] = [await value('Done'), rateOf(await activity())];
        return shown === told && told !== '0 images/s';
      }, patience)
      .toBe(true);
    await expect.poll(() => value('Waiting'), patience).toBe('0');
    await chart(/waiting/)
      .getByText(/Waiting: last 0, at most ([6-9]|1\d)\./)
      .waitFor({ state: 'attached' });
    const sums = async () => {
      const { points, deadlineMs } = await activity();
      const sum = (of: 'done' | 'late') => points.reduce((all, point) => all + point[of], 0);
      return [sum('done'), sum('late'), deadlineMs];
    };
    // It is asked once in two seconds, whoever looks.
    await expect.poll(sums, patience).toEqual([20, 20, 1]);
    await expect.poll(() => value('Late'), patience).toBe('100 %');
    await chart(/Latency.*deadline 1 ms/)
      .getByText(/waiting \(p50\): last/)
      .waitFor({ state: 'attached' });
    // What came is known of spans that are over.
    await expect
      .poll(async () => (await activity()).points.reduce((all, { came }) => all + (came ?? 0), 0), patience)
      .toBeGreaterThan(13);
  });

  it('shows the belts, with the way to their images and to each as it runs', async () => {
    const row = page.getByRole('row', { name: /^north / });
    await expect.poll(() => row.getByRole('cell').nth(1).textContent(), patience).toBe('10');
    await page.getByRole('row', { name: /^without a belt 10 / }).waitFor();
    expect(await row.getByRole('link', { name: 'Images' }).getAttribute('href')).toBe('#/images?belt=north');
    expect(await row.getByRole('link', { name: 'Live' }).getAttribute('href')).toBe('#/belt?belt=north');
  });

  it('zooms by dragging, stays there when more comes, and goes back', async () => {
    const plot = chart(/Images a second/).locator('.u-over');
    /** In minutes of the hour: of the left edge. */
    const left = async () => {
      await plot.hover({ position: { x: 2, y: 50 } });
      const text = await chart(/Images a second/)
        .locator('.u-legend tr')
        .first()
        .locator('td')
        .textContent();
      const [, minutes, seconds] = /:(\d\d):(\d\d)/.exec(text ?? '') ?? [];
      return Number(minutes) + Number(seconds) / 60;
    };
    const since = (from: number, to: number) => (to - from + 60) % 60;
    const before = await left();
    const { width } = (await plot.boundingBox())!;
    await plot.hover({ position: { x: width * 0.6, y: 50 } });
    await page.mouse.down();
    await plot.hover({ position: { x: width * 0.9, y: 50 } });
    await page.mouse.up();
    const all = page.getByRole('button', { name: 'Show all' });
    await all.waitFor();
    expect(since(before, await left())).toBeGreaterThan(7);
    for (let n = 0; n < 2; n++) await page.waitForResponse(/\/v1\/activity/);
    expect(since(before, await left())).toBeGreaterThan(7);
    await plot.dblclick();
    await all.waitFor({ state: 'detached' });
    // A hand that trembles does not hold up what comes.
    const { x, y } = (await plot.boundingBox())!;
    await page.mouse.move(x + width / 2, y + 50);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 + 4, y + 50);
    await page.mouse.up();
    const selected = plot.locator('.u-select');
    expect(await selected.evaluate((one) => (one as unknown as { offsetWidth: number }).offsetWidth)).toBe(0);
    expect(since(before, await left())).toBeLessThan(3);
    await page.getByRole('button', { name: '24 hours' }).click();
    await page.waitForResponse(/\/v1\/activity\?window=24h/);
    await chart(/waiting/)
      .getByText(/at most/)
      .waitFor({ state: 'attached' });
    await page.getByRole('button', { name: '15 minutes' }).click();
  });

  it('says that PostgreSQL is away and since when, keeps the last numbers, and recovers', async () => {
    const postmaster = Number(
      readFileSync(join(rig.dir, 'data/postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0],
    );
    const all = [postmaster, ...childrenOf(postmaster)];
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    try {
      const told = page.getByRole('alert');
      await told.getByText(/^The database has been away since .* \(\d+ s\)\./).waitFor();
      await told.getByText(/^The numbers below are from /).waitFor();
      expect(await told.locator('code').textContent()).toBe('visionscale doctor');
      await page.locator('.stale .tile').first().waitFor();
      expect([await value('Waiting'), await value('Consumers')]).toEqual(['0', '1']);
      expect((await fetch(`${world.url}/v1/status`)).status).toBe(503);
      await world.usable();
      // Whoever comes only now is told the same.
      await page.reload();
      await told.getByText(/^The database has been away since/).waitFor();
      await told.getByText(/^There are no numbers yet/).waitFor();
    } finally {
      for (const pid of all.toReversed()) process.kill(pid, 'SIGCONT');
    }
    await page.locator('.verdict:is(.ok, .warn)').waitFor();
    await expect.poll(() => page.locator('.stale').count(), patience).toBe(0);
    await post(20);
    await expect.poll(async () => lagOf(await status()), patience).toBe(0);
  });

  it('says that the server itself is away, and recovers', async () => {
    world.server.process.kill('SIGTERM');
    await world.server.ended;
    await page.locator('.away-bar').waitFor();
    await page.locator('.stale .tile').first().waitFor();
    await world.serve();
    await page.locator('.verdict:is(.ok, .warn)').waitFor();
    await expect.poll(() => page.locator('.stale').count(), patience).toBe(0);
  });

  it('has for each thing to do first its link, its command, or neither', async () => {
    const drift = {
      belt: 'n & s',
      kind: 'unknown',
      since: '2026-11-28T10:00:00.000Z',
      from: 1,
      to: 9,
      category: null,
    };
    let kind: StatusVerdict['kind'] = 'well';
    let command: string | null = null;
    await page.route('**/v1/status', async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as Status;
      body.verdict = { ok: true, kind, finding: `It is ${kind}.`, text: 'unused', command };
      body.drift = kind === 'drift' ? [drift] : [];
      await route.fulfill({ response, json: body });
    });
    const links: Partial<Record<StatusVerdict['kind'], string>> = {
      dead_letters: '#/dead-letters',
      models_disagree: '#/models',
      drift: '#/images?belt=n+%26+s&since=2026-11-28T10%3A00%3A00.000Z',
    };
    for (kind of verdictKinds) {
      command = kind.length % 2 === 0 ? null : `visionscale ${kind}`;
      // Looked at again, it asks at once.
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      await verdict()
        .getByText(kind === 'drift' ? /unknown objects rose from 1 % to 9 %/ : `It is ${kind}.`)
        .waitFor();
      const link = links[kind];
      expect(await verdict().getByRole('link').count(), kind).toBe(link === undefined ? 0 : 1);
      if (link !== undefined) expect(await verdict().getByRole('link').getAttribute('href')).toBe(link);
      const shown = await verdict().locator('code').allTextContents();
      expect(shown, kind).toEqual(link !== undefined || command === null ? [] : [command]);
    }
    await page.unroute('**/v1/status');
  });

  it('keeps what waited last when the topic is away, and says since when', async () => {
    for (const one of [post(21), post(22)]) await one;
    await page.route('**/v1/status', async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as Status;
      for (const one of body.partitions) one.lag = null;
      const reason = 'all brokers are down';
      body.servers.topic = { reachable: false, reason };
      body.away = [{ server: 'topic', reason, since: new Date(Date.now() - 90_000).toISOString() }];
      body.verdict = {
        ok: false,
        kind: 'topic_away',
        text: '',
        finding: 'No topic.',
        command: 'visionscale doctor',
      };
      await route.fulfill({ response, json: body });
    });
    await verdict()
      .getByText(/^Away since .* \(\d+ s\)\.$/)
      .waitFor();
    await page
      .locator('.tile.old', { hasText: 'Waiting' })
      .getByText(/^\d+ s ago$/)
      .waitFor();
    expect(await value('Waiting')).toMatch(/^\d$/);
    await world.usable();
    await page.unroute('**/v1/status');
    await page.locator('.tile.old').waitFor({ state: 'detached' });
  });

  it('breaks no rule of its policy and none of its scripts', async () => {
    consumer.process.kill('SIGTERM');
    await consumer.ended;
    expect(world.complaints).toEqual([]);
  });
});
