// The load of page, and what the page makes of it. node page.mjs pictures DIRECTORY | run URL PID SECONDS RATE, with the settings in the environment.
import assert from 'node:assert/strict';
import console from 'node:console';
import { mkdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { loadConfig } from '../../dist/lib/config/load.js';
import { openDatabase } from '../../dist/lib/systems/database/open.js';

const [what, ...rest] = process.argv.slice(2);
const pictures = 200;
const bins = ['left', 'right', 'manual'];
const keyOf = (n) => `${n % pictures}.jpg`;

if (what === 'pictures') await makePictures(rest[0]);
else await run(rest[0], Number(rest[1]), Number(rest[2]), Number(rest[3]));
process.exit(0);

async function makePictures(directory) {
  mkdirSync(directory);
  for (let n = 0; n < pictures; n++) {
    const background = { r: (n * 37) % 256, g: (n * 91) % 256, b: (n * 53) % 256 };
    const noise = { type: 'gaussian', mean: 128, sigma: 40 };
    await sharp({ create: { width: 640, height: 480, channels: 3, background, noise } })
      .jpeg()
      .toFile(join(directory, `${n}.jpg`));
  }
}

async function run(url, pid, seconds, rate) {
  const config = loadConfig(process.env);
  const { pool } = await openDatabase(config.database);
  const browser = await chromium.launch({
    executablePath: process.env.VISIONSCALE_TEST_BROWSER,
    args: ['--no-sandbox', '--enable-precise-memory-info'],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${url}/#/belt`);
  await page.locator('.belt-head .pill.ok').waitFor();
  // The load of the page itself is no part of it.
  await page.evaluate(`
    globalThis.long = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration)))
      .observe({ type: 'longtask' });
    globalThis.tiles = 0;
    globalThis.frames = 0;
    (function look() {
      tiles = Math.max(tiles, document.querySelectorAll('.belt-tile').length);
      frames++;
      requestAnimationFrame(look);
    })();
  `);
  const renderers = await renderersOf(browser);
  const used = { heapMb: 0, privateMb: 0 };
  const cpuBefore = cpuSeconds(pid);
  const traced = await trace(browser);
  const began = Date.now();
  let sent = 0;
  for (let tick = 0; tick < seconds * 10; tick++) {
    await sleep(Math.max(0, began + tick * 100 - Date.now()));
    const due = Math.round(((tick + 1) * rate) / 10) - sent;
    await insert(pool, config.pipeline, sent, due);
    sent += due;
    if (tick % 10 !== 0) continue;
    const heap = await page.evaluate('performance.memory.usedJSHeapSize');
    used.heapMb = Math.max(used.heapMb, heap / 1e6);
    used.privateMb = Math.max(used.privateMb, ...renderers.map(privateMb));
  }
  const took = (Date.now() - began) / 1000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  const tasks = await traced();
  const shown = async () =>
    Object.fromEntries(
      await page.evaluate(`[...document.querySelectorAll('.belt-bin')].map((one) =>
        [one.querySelector('h3').textContent, Number(one.querySelector('.value').textContent.replaceAll(/\\D/g, ''))])`),
    );
  const { rows } = await pool.query(
    'select bin, count(*)::int as n from prediction_results group by bin order by bin',
  );
  const inDatabase = Object.fromEntries(rows.map(({ bin, n }) => [bin, n]));
  let counts = await shown();
  for (let waited = 0; waited < 20_000 && sum(counts) < sent; waited += 100) {
    await sleep(100);
    counts = await shown();
  }
  const [long, tiles, frames] = await page.evaluate('[long, tiles, frames]');
  const round = (value) => Math.round(value * 10) / 10;
  const report = {
    seconds: round(took),
    imagesASecond: round(sent / took),
    results: sent,
    pageCounts: counts,
    mostTiles: tiles,
    framesASecond: round(frames / took),
    mostHeapMb: round(used.heapMb),
    mostPrivateMb: round(used.privateMb),
    tasksAbove50Ms: long.length,
    longestTaskMs: round(Math.max(0, ...long)),
    tasks: tasks.tasks,
    // Without the time in which a loaded machine ran something else.
    longestTaskCpuMs: round(tasks.longestMs),
    mainThreadPercent: round(tasks.busyMs / took / 10),
    serveCpuPercent: round((100 * cpu) / took),
    load: loadavg().map(round),
  };
  console.log(JSON.stringify(report, null, 2));
  await browser.close();
  for (const [bin, n] of Object.entries(inDatabase)) assert.equal(counts[bin], n, `results in ${bin}`);
  assert.ok(tiles <= 60, 'at most 60 tiles');
  assert.ok(used.privateMb < 200, 'at most 200 MB');
  assert.ok(report.longestTaskCpuMs < 100, 'no task of 100 ms');
}

function sum(counts) {
  return Object.values(counts).reduce((all, n) => all + n, 0);
}

async function insert(pool, pipeline, first, count) {
  const rows = Array.from({ length: count }, (_, n) => {
    const id = first + n;
    const category = `class ${id % 12}`;
    const confidence = 50 + (id % 50);
    const bin = bins[id % 7 === 0 ? 2 : id % 2];
    return {
      key: keyOf(id),
      category,
      confidence,
      id: `page ${id}`,
      top: [0, 1, 2, 3, 4].map((k) => ({
        category: `class ${(id + k) % 12}`,
        confidence: confidence / (k + 1),
      })),
      bin,
      reason: bin === 'manual' ? 'low_confidence' : 'mapped',
      novelty: id % 50 === 0 ? 1.4 : 0.3,
    };
  });
  await pool.query(
    `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
       "offset", model, model_version, model_digest, top, stages, novelty, bin, bin_reason, belt, latency_ms)
     select r.key, r.category, r.confidence, 'page', $1, r.id, 'images', 0, 0, 'm', '1', 'sha256:0', r.top, '{}', r.novelty,
       r.bin, r.reason, 'north', 20
     from jsonb_to_recordset($2) as r(key text, category text, confidence real, id text, top jsonb, novelty real, bin text, reason text)`,
    [pipeline, JSON.stringify(rows)],
  );
}

/** The tasks of the main thread by the processor time they took. */
async function trace(browser) {
  const session = await browser.newBrowserCDPSession();
  const events = [];
  const ended = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const { name, pid, tid, tdur = 0, args } of value) {
      if (name === 'thread_name' && args.name === 'CrRendererMain') events.push({ pid, tid, main: true });
      else if (name === 'RunTask') events.push({ pid, tid, ms: tdur / 1000 });
    }
  });
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: ['toplevel', 'disabled-by-default-devtools.timeline'],
      excludedCategories: ['*'],
    },
  });
  return async () => {
    await session.send('Tracing.end');
    await ended;
    // Of the renderers, some spare, the one that worked most has the page.
    const [page] = events
      .filter(({ main }) => main)
      .map(({ pid, tid }) => events.filter((one) => one.pid === pid && one.tid === tid && one.ms > 0))
      .map((tasks) => ({
        tasks: tasks.length,
        busyMs: tasks.reduce((all, { ms }) => all + ms, 0),
        longestMs: tasks.reduce((most, { ms }) => Math.max(most, ms), 0),
      }))
      .sort((one, other) => other.busyMs - one.busyMs);
    return page;
  };
}

/** The largest of them is the page's; the others are spare. */
async function renderersOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

/** What Chrome's task manager calls memory footprint: without the files of the browser, which all of its processes share. */
function privateMb(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = ['RssAnon', 'RssShmem', 'VmSwap'].map((name) =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]),
  );
  return kb.reduce((sum, one) => sum + one, 0) / 1000;
}

/** Of the process, in seconds; those that make pictures are its children, and not in it. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
