/** What the live page shows, as numbers: each found by the name that it has there. */
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

/** By name; names without a result are left out, as a database does. */
export type Counts = Record<string, number>;

export class PageNumbers {
  readonly page: Page;
  readonly url: string;

  constructor(page: Page, url: string) {
    this.page = page;
    this.url = url;
  }

  async open(view: string): Promise<void> {
    await this.page.goto(`${this.url}/#/${view}`);
  }

  section(heading: string | RegExp): Locator {
    return this.page.locator('section', { has: this.page.getByRole('heading', { name: heading }) });
  }

  /** What stands large in the tile of that name. */
  tile(name: string): Locator {
    return this.page
      .locator('.tile', { has: this.page.getByRole('heading', { name, exact: true }) })
      .locator('.value');
  }

  /** The lines of a section's table; of each, the texts of its cells by the names of their columns. */
  async rows(heading: string | RegExp): Promise<Record<string, string>[]> {
    const rows = await this.section(heading).locator('tbody tr').all();
    return Promise.all(
      rows.map(async (row) => {
        const cells = await row.locator('td').all();
        const pairs = cells.map(async (cell) => [
          await cell.getAttribute('data-name'),
          (await cell.innerText()).trim(),
        ]);
        return Object.fromEntries(await Promise.all(pairs)) as Record<string, string>;
      }),
    );
  }

  /** Bins view: results of the last minutes by bin. */
  async bins(): Promise<Counts> {
    const rows = await this.rows(/^Last \d+ minutes$/);
    return summed(rows.map((row): [string, number] => [row['Bin']!, count(row['Images']!)]));
  }

  /** Belt view: results by bin since it was opened. */
  async belt(): Promise<Counts> {
    const bins = await this.page.locator('.belt-bin').all();
    const read = async (bin: Locator): Promise<[string, number]> => [
      await bin.locator('h3').innerText(),
      count(await bin.locator('.value').innerText()),
    ];
    return summed(await Promise.all(bins.map(read)));
  }

  /** Dead letters view: the open ones by code, and `All`. */
  async letters(): Promise<Counts> {
    const causes = await this.page.getByRole('navigation', { name: 'Causes' }).getByRole('link').all();
    const texts = await Promise.all(causes.map((cause) => cause.innerText()));
    return Object.fromEntries(
      texts.map((text) => {
        const [, name, n] = /^(.*) \(([^)]*)\)$/.exec(text)!;
        return [name!, count(n!)];
      }),
    );
  }

  /** Images view: how many it finds, with all of them shown. `query`: as in its address. */
  async images(query: string): Promise<number> {
    await this.open(`images?${query}`);
    const cards = this.page.locator('.grid > li');
    const more = this.page.getByRole('button', { name: 'Show more' });
    await cards.first().waitFor();
    while (await more.isVisible()) {
      const before = await cards.count();
      await more.click();
      await expect.poll(() => cards.count(), { timeout: 60_000 }).toBeGreaterThan(before);
    }
    return cards.count();
  }
}

/** `1,234` and `1 234 images` are 1234. */
export function count(text: string): number {
  const digits = text.replaceAll(/\D/g, '');
  if (digits === '') throw new Error(`not a number: ${JSON.stringify(text)}`);
  return Number(digits);
}

export function summed(pairs: [string, number][]): Counts {
  const sums: Counts = {};
  for (const [name, n] of pairs) if (n > 0) sums[name] = (sums[name] ?? 0) + n;
  return sums;
}

export const total = (counts: Counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);
