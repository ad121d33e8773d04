/** The live page in a browser, on the built binary, with what every view is held to. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig, type Running } from './binary.ts';
import { colorImage } from './color-model.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export interface OpenedPage extends AsyncDisposable {
  rig: Rig;
  database: Database;
  browser: Browser;
  page: Page;
  /** What the browser complains of: a policy that is broken, a script that fails. */
  complaints: string[];
  /** Of the server that runs. */
  readonly url: string;
  server: Running;
  /** After it was stopped: on the same port. */
  serve(): Promise<void>;
  open(view: string): Promise<unknown>;
  /** Nothing serious for those who do not see it, or use no mouse; and nothing beyond the edge of a phone. */
  usable(): Promise<void>;
}

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string }[];
}

/** `prepare`: before the first server starts, such as a model for the settings in `rig.env`. */
export async function openLivePage(
  executablePath: string,
  prepare: (rig: Rig) => Promise<void> | void,
): Promise<OpenedPage> {
  const rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
  await prepare(rig);
  let url = '';
  const serve = async () => {
    const port = url === '' ? '0' : new URL(url).port;
    const server = rig.start(['serve', '--json', '--drain-delay', '0', '--port', port]);
    let told = '';
    server.process.stderr!.on('data', (chunk: string) => (told += chunk));
    await server.said(/listening on/);
    url = /listening on (http:\/\/[^"\s]+)/.exec(told)![1]!;
    opened.server = server;
  };
  const complaints: string[] = [];
  const opened = { rig, complaints, serve } as OpenedPage;
  await serve();
  const database = await openDatabase(loadConfig(rig.env).database);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const page = await newPage(browser, complaints);
  return Object.defineProperty(
    Object.assign(opened, {
      database,
      browser,
      page,
      open: (view: string) => page.goto(`${url}/#/${view}`),
      usable: () => usable(page),
      async [Symbol.asyncDispose]() {
        await browser.close();
        await database[Symbol.asyncDispose]();
        await rig[Symbol.asyncDispose]();
      },
    }),
    'url',
    { get: () => url },
  );
}

/** `complaints` gets what the browser complains of on it. */
export async function newPage(browser: Browser, complaints: string[]): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    // Answers with 4xx and 5xx, and none at all, are told of as errors; tests look at what the page makes of them.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) complaints.push(text);
  });
  page.setDefaultTimeout(60_000);
  return page;
}

/** Nothing serious for those who do not see it, or use no mouse; and nothing beyond the edge of a phone. */
export async function usable(page: Page): Promise<void> {
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
}

/** An image `a.png`, uploaded and asked for, that is gone from the store: a dead letter. Returns what puts it back. */
export async function loseImage(rig: Rig): Promise<() => void> {
  const folder = join(rig.dir, 'lost');
  mkdirSync(folder);
  const image = await colorImage('blue', 77);
  writeFileSync(join(folder, 'a.png'), image);
  await rig.json(['upload', folder]);
  const object = join(rig.dir, 'data', 'images', 'a.png');
  rmSync(object);
  await rig.json(['produce']);
  return () => writeFileSync(object, image);
}
