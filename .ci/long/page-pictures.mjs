// Takes the pictures of page-pictures: node page-pictures.mjs URL EMPTY-URL IMAGES DIRECTORY PATTERN, with the settings in the environment.
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import console from 'node:console';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { loadConfig } from '../../dist/lib/config/load.js';
import { openDatabase } from '../../dist/lib/systems/database/open.js';

const { fetch } = globalThis;
const [url, emptyUrl, images, to, pattern] = process.argv.slice(2);
const wanted = new RegExp(pattern);
const faults = [];

const photographs = readdirSync(join(images, 'imagenet-sample')).filter((name) => name.endsWith('.JPEG'));
const belts = ['north', '北侧传送带'];
/** Header values are bytes: those of UTF-8. */
const bytes = (text) => Buffer.from(text).toString('latin1');
let posted = 0;

async function post(base, { name, body, wait = '60s' } = {}) {
  const n = posted++;
  const photograph = photographs[(n * 7) % photographs.length];
  const response = await fetch(`${base}/v1/images?wait=${wait}`, {
    method: 'POST',
    body: body ?? readFileSync(join(images, 'imagenet-sample', photograph)),
    headers: {
      'content-type': 'image/jpeg',
      'visionscale-image-name': bytes(name ?? photograph),
      'visionscale-belt': bytes(belts[n % belts.length]),
    },
  });
  return response.json();
}

async function fill() {
  for (let n = 0; n < 15; n++) await Promise.all(Array.from({ length: 6 }, () => post(url)));
  const long = 'a very long name of a picture '.repeat(6);
  const { id } = await post(url, { name: `${long}.jpg` });
  const whole = readFileSync(join(images, 'imagenet-sample', photographs[0]));
  for (let n = 0; n < 6; n++)
    await post(url, { name: `cut off ${n}.jpg`, body: whole.subarray(0, 2000 + n) });
  const { pool } = await openDatabase(loadConfig(process.env).database);
  const { rows } = await pool.query(
    'select image_key as key, category from prediction_results order by id limit 40',
  );
  const name = 'a class whose name has sixty characters, which is quite long';
  const corrections = rows.map(({ key, category }, n) => ({
    imageKey: key,
    label: n % 5 === 0 ? name : n % 3 === 0 ? rows[(n + 1) % rows.length].category : category,
  }));
  const body = JSON.stringify({ corrections, new: true });
  const headers = { 'content-type': 'application/json' };
  const corrected = await fetch(`${url}/v1/corrections`, { method: 'POST', body, headers });
  assert.equal(corrected.status, 200, await corrected.text());
  return { id, pool, name };
}

const browser = await chromium.launch({
  executablePath: process.env.VISIONSCALE_TEST_BROWSER,
  args: ['--no-sandbox'],
});
const { id, pool, name: longName } = await fill();
const views = {
  now: '',
  belt: 'belt',
  big: 'belt?big=1',
  images: 'images',
  image: `image/${encodeURIComponent(id)}`,
  bins: 'bins',
  label: 'label',
  models: 'models',
  'dead-letters': 'dead-letters',
  try: 'try',
};
const access = (write, operate, read = true) => ({
  tokens: true,
  token: read ? 'anna' : null,
  may: { read, write, operate },
});
const json = (route, status, body) =>
  route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) });
const problem = {
  code: 'database_unreachable',
  detail: 'the database does not answer: connect ECONNREFUSED 127.0.0.1:5432',
  hint: 'Check that it runs, and DATABASE_URL.',
};
const api = '**/v1/**';
/** By name: what the server answers, and what is done when the view is there. */
const states = {
  filled: {},
  empty: { base: emptyUrl },
  loading: { before: (page) => page.route(api, () => undefined), settle: 700 },
  error: {
    before: (page) =>
      page.route(api, (route) => (isAccess(route) ? route.continue() : json(route, 503, problem))),
  },
  stale: { after: (page) => away(page), settle: 500 },
  disconnected: { before: (page) => page.route(api, (route) => route.abort()) },
  'read-only': {
    before: (page) => page.route('**/v1/access', (route) => json(route, 200, access(false, false))),
  },
  asked: { after: ask },
  trouble: { before: trouble, only: ['now', 'belt', 'models'] },
  'long-names': {
    before: longNames,
    after: (page, view) => flow(view, true),
    only: ['belt', 'big', 'bins', 'images', 'label'],
  },
  token: {
    before: (page) => page.route('**/v1/access', (route) => json(route, 200, access(false, false, false))),
    only: ['now'],
  },
};

function isAccess(route) {
  return route.request().url().endsWith('/v1/access');
}

/** A minute after the last answer. */
async function away(page) {
  await page.route(api, (route) => route.abort());
  await page.clock.fastForward(60_000);
  await sleep(300);
  await page.clock.fastForward(5_000);
}

const clicks = {
  bins: async (page) => {
    const rules = page.getByRole('textbox').first();
    await rules.fill((await rules.inputValue()).replace('flamingo', 'flaming').replace('snake', 'nothing'));
    await page.locator('button.main').first().click();
    await page.locator('.tried').waitFor();
    await page.locator('.tried ~ *, .row.act button').nth(1).click();
  },
  models: async (page) => page.locator('.scroll tbody button').first().click(),
  'dead-letters': async (page) => {
    await page.locator('input[type=checkbox]').first().check();
    await page.locator('button.danger').first().click();
  },
  label: async (page) => {
    await page.locator('.grid li').nth(1).click();
    await page.locator('.finder input').fill('ter');
  },
  try: async (page) => {
    const files = photographs.slice(3, 6).map((name) => join(images, 'imagenet-sample', name));
    await page
      .locator('input[type=file]')
      .first()
      .setInputFiles([...files, process.argv[1]]);
    await page.locator('.trials .pill.ok').nth(2).waitFor();
  },
};

async function ask(page, view) {
  await clicks[view]?.(page);
}

async function trouble(page) {
  await page.route('**/v1/status', async (route) => {
    const status = await (await route.fetch()).json();
    const since = new Date(Date.now() - 400_000).toISOString();
    json(route, 200, {
      ...status,
      verdict: {
        ok: false,
        kind: 'no_owner',
        text: 'Partition 1 has no owner and 1,204 messages wait: visionscale consume --partition 1',
        finding: 'Partition 1 has no owner and 1,204 messages wait',
        command: 'visionscale consume --partition 1',
      },
      silent: status.consumers.map((one) => ({ ...one, owner: 'belt-7.factory.example.com:41873', since })),
      partitions: status.partitions.map((one, n) =>
        n === 1
          ? { ...one, owner: null, state: 'expired', lag: 1204, since, detail: 'its consumer is silent' }
          : one,
      ),
      servers: {
        ...status.servers,
        store: { reachable: false, reason: 'the bucket photographs does not answer: connect ETIMEDOUT' },
      },
      drift: [
        { belt: belts[1], kind: 'unknown', category: null, since, from: 2, to: 14.2 },
        { belt: null, kind: 'confidence', category: null, since: null, from: 88, to: 61.5 },
      ],
    });
  });
}

async function longNames(page) {
  await page.route('**/v1/bins', async (route) => {
    const bins = await (await route.fetch()).json();
    const more = Array.from({ length: 40 }, (_, n) => ({
      bin: n === 3 ? longName : `bin ${n + 1}`,
      classes: [n === 5 ? longName : `class ${n + 1}`],
    }));
    json(route, 200, { ...bins, rules: { ...bins.rules, bins: more } });
  });
}

/** Rows as consumers would insert them; many bins and long names where `isMany`. */
async function flow(view, isMany) {
  if (view !== 'belt' && view !== 'big') return;
  const { rows } = await pool.query(
    `select image_key as key, category from prediction_results where hostname <> 'page' order by id limit 60`,
  );
  for (let n = 0; n < 40; n++) {
    const { key, category } = rows[n % rows.length];
    const isUnknown = n % 7 === 0;
    const isUnsure = n % 5 === 0;
    const bin = isUnknown
      ? 'foreign'
      : isUnsure
        ? 'check by hand'
        : ['left', 'middle', 'the third conveyor, behind the wall'][n % 3];
    await pool.query(
      `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
         "offset", model, model_version, model_digest, top, stages, novelty, bin, bin_reason, belt, latency_ms)
       values ($1, $2, $3, 'page', 'default', $4, 'images', 0, 0, 'm', '1', 'sha256:0', '[]', '{}', $5, $6, $7, $8, 20)`,
      [
        key,
        !isMany ? category : n % 9 === 0 || n === 39 ? longName : `class ${n}`,
        40 + n,
        `flow ${Date.now()} ${n}`,
        isUnknown ? 1.4 : 0.2,
        !isMany ? bin : n % 4 === 0 ? longName : `bin ${1 + n}`,
        isUnknown ? 'unknown' : isUnsure ? 'low_confidence' : 'mapped',
        belts[n % 2],
      ],
    );
    await sleep(60);
  }
}

const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

async function take(name, { view, state, theme, size }) {
  const { base = url, before, after, settle = 600 } = states[state];
  const context = await browser.newContext({
    viewport: sizes[size],
    colorScheme: theme,
    hasTouch: size === 'phone',
    isMobile: size === 'phone',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complain = (text) => faults.push(`${name}: ${text}`);
  page.on('pageerror', (error) => complain(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) complain(text);
  });
  if (state === 'stale') await page.clock.install();
  try {
    await before?.(page);
    await page.goto(`${base}/#/${views[view]}`);
    if (state === 'stale') await page.clock.fastForward(1000);
    await sleep(state === 'filled' || state === 'stale' || after ? 1200 : 100);
    if (state === 'filled') await flow(view, false);
    await after?.(page, view);
    await sleep(settle);
    const { wide, small, title } = await page.evaluate(`({
      title: document.title,
      wide: document.documentElement.scrollWidth,
      small: [...document.querySelectorAll('button, .button, nav a, select, input')]
        .filter((one) => one.checkVisibility({ opacityProperty: true }))
        .filter((one) => (one.closest('label') ?? one).getBoundingClientRect().height < 43.5)
        .map((one) => (one.textContent || one.name || one.outerHTML).trim().slice(0, 30)),
    })`);
    if (wide > sizes[size].width) complain(`${wide} pixels wide`);
    if (size === 'phone' && small.length > 0) complain(`small: ${[...new Set(small)].join(', ')}`);
    await page.screenshot({
      path: join(to, `${name}.png`),
      fullPage: !['big'].includes(view) && state !== 'asked',
    });
    console.log(`${name}: ${title}`);
  } catch (error) {
    complain(error.message.split('\n')[0]);
    await page.screenshot({ path: join(to, `${name}.png`) }).catch(() => undefined);
  }
  await context.close();
}

for (const [state, { only }] of Object.entries(states))
  for (const view of only ?? (state === 'asked' ? Object.keys(clicks) : Object.keys(views)))
    for (const theme of ['light', 'dark'])
      for (const size of Object.keys(sizes)) {
        const name = `${[view, ...(state === 'filled' ? [] : [state])].join('-')}-${theme}-${size}`;
        if (wanted.test(name)) await take(name, { view, state, theme, size });
      }
await browser.close();
for (const fault of faults) console.error(fault);
process.exit(faults.length === 0 ? 0 : 1);
