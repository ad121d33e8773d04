/** The live page over real Kafka, PostgreSQL and S3, which are killed and come back: a set of servers of its own. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { colorImage, writeTellingColorModel } from '../support/color-model.ts';
import { count, type Counts, PageNumbers, total } from '../support/page-numbers.ts';
import { type OpenedPage, openLivePage } from '../support/page.ts';
import { describeWith } from '../support/servers.ts';

const script = fileURLToPath(new URL('../../.ci/servers', import.meta.url));
const kinds = ['red', 'green', 'blue', 'white'] as const;
const patience = { timeout: 60_000 };

interface StatusDocument {
  predictions: number;
  consumers: unknown[];
  partitions: { owner: string; lag: number }[];
}

describeWith('browser', 'the live page on real servers', (executablePath) => {
  // Where these are, the servers can be started; others use them meanwhile, so that none of them can be killed.
  describeWith('Kafka', 'Kafka, PostgreSQL and S3', () => {
    let opened: OpenedPage;
    let shown: PageNumbers;
    let sent = 0;
    const env = { ...process.env, VISIONSCALE_CI_RUN: `page-${randomBytes(4).toString('hex')}` };
    const servers = async (...words: string[]) => {
      const { stdout } = await promisify(execFile)(script, words, { env });
      return stdout;
    };

    beforeAll(async () => {
      await servers('start');
      const given = Object.fromEntries(
        [...(await servers('env')).matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [
          name!,
          value!,
        ]),
      );
      const database = new URL(given['VISIONSCALE_TEST_POSTGRES']!);
      database.pathname = '/page';
      opened = await openLivePage(executablePath, async (rig) => {
        Object.assign(rig.env, {
          KAFKA_BROKERS: given['VISIONSCALE_TEST_KAFKA'],
          KAFKA_TOPIC: 'page',
          DATABASE_URL: database.href,
          VISIONSCALE_STORE: 's3://page/images',
          S3_ENDPOINT: given['VISIONSCALE_TEST_S3'],
          AWS_ACCESS_KEY_ID: given['AWS_ACCESS_KEY_ID'],
          AWS_SECRET_ACCESS_KEY: given['AWS_SECRET_ACCESS_KEY'],
          AWS_REGION: given['AWS_REGION'],
          VISIONSCALE_MODEL: writeTellingColorModel(join(rig.dir, 'model')),
          VISIONSCALE_PARTITIONS: '2',
        });
        writeFileSync(join(rig.dir, 'bins.yaml'), 'unknown: foreign\nbins: {left: [red], right: [green]}\n');
        await rig.json(['init']);
        await rig.json(['bins', 'use', 'bins.yaml']);
        rig.start(['consume']);
      });
      shown = new PageNumbers(opened.page, opened.url);
    }, 300_000);
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
      await servers('stop');
    });

    /** Sends images, again what is refused, and resolves when each has its result. */
    const send = async (images: number) => {
      for (const end = sent + images; sent < end; sent++) {
        const body = new Uint8Array(await colorImage(kinds[sent % 4]!, sent));
        const headers = { 'visionscale-image-name': `${sent}.png`, 'idempotency-key': `${sent}` };
        const again = async () =>
          (await fetch(`${opened.url}/v1/images?wait=60s`, { method: 'POST', body, headers })).status;
        await expect.poll(again, patience).toBe(200);
      }
    };
    /** What the page says of something that is away. */
    const says = (what: RegExp) => opened.page.locator('[role=alert], [role=status]', { hasText: what });
    const isWell = () => opened.page.locator('.verdict:is(.ok, .warn)').first().waitFor();

    it('shows the numbers of `status`, `results` and PostgreSQL', async () => {
      await send(24);
      const { rows } = await opened.database.pool.query<{ name: string; n: number }>(
        'select bin as name, count(*)::int as n from prediction_results group by 1',
      );
      const bins: Counts = Object.fromEntries(rows.map(({ name, n }) => [name, n]));
      expect(bins).toEqual({ left: 6, right: 6, manual: 6, foreign: 6 });
      const status = await opened.rig.json<StatusDocument>(['status']);
      const results = await opened.rig.json<unknown[]>(['results', '--limit', '100']);
      expect([status.predictions, results.length]).toEqual([24, 24]);

      await shown.open('bins');
      await expect.poll(() => shown.bins(), patience).toEqual(bins);
      expect(await shown.images('')).toBe(total(bins));
      expect(await shown.images('bin=foreign')).toBe(bins['foreign']);
      await shown.open('');
      await isWell();
      expect(count(await shown.tile('Waiting').innerText())).toBe(0);
      expect(count(await shown.tile('Consumers').innerText())).toBe(status.consumers.length);
      const partitions = (await shown.rows('Partitions')).map((row) => [
        row['Owner'],
        count(row['Waiting']!),
      ]);
      expect(partitions).toEqual(status.partitions.map(({ owner, lag }) => [owner, lag]));
    });

    it('says that Kafka is away, and goes on when it is back', async () => {
      const away = says(/topic|Kafka/i);
      expect(await away.count()).toBe(0);
      await servers('kill', 'kafka');
      await away.first().waitFor();
      await servers('restart', 'kafka');
      await isWell();
      await send(4);
    });

    it('says that PostgreSQL is away, and goes on when it is back', async () => {
      const away = says(/database|PostgreSQL/i);
      expect(await away.count()).toBe(0);
      await servers('kill', 'postgres');
      await away.first().waitFor();
      await servers('restart', 'postgres');
      await isWell();
      await send(4);
    });

    it('says that the object store is away, and goes on when it is back', async () => {
      const away = says(/object store|S3/i);
      expect(await away.count()).toBe(0);
      await servers('kill', 'versitygw');
      await away.first().waitFor();
      await servers('restart', 'versitygw');
      await isWell();
      await send(4);
      await shown.open('bins');
      await expect.poll(async () => total(await shown.bins()), patience).toBe(sent);
    });

    it('breaks no rule of its policy and none of its scripts', () => {
      expect(opened.complaints).toEqual([]);
    });
  });
});
