/** A camera that is dimmed, blurred or swapped midway, in front of the built consumer: noticed within 500 images. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { drawPicture, kindOf } from '../../src/lib/local/drawings/draw.ts';
import { kinds, labelOf } from '../../src/lib/local/drawings/shapes.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import type { Drift } from '../../src/lib/systems/database/tables/consumers.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { Rig } from '../support/binary.ts';
import { until } from '../support/guest.ts';
import { itThorough } from '../support/thorough.ts';

const seed = 17;
const reference = 500;
const ordinary = 200;
const within = 500;
/** Rounds of the belts in one transaction. */
const atOnce = 20;

type Picture = (n: number) => Promise<Buffer>;

/** Drawn once, shown again and again. */
function pictures(count: number, picture: Picture): Picture {
  const drawn = new Map<number, Promise<Buffer>>();
  return (n) => {
    const known = drawn.get(n % count) ?? picture(n % count);
    drawn.set(n % count, known);
    return known;
  };
}

const parts = pictures(144, (n) => drawPicture(kindOf(seed, n), seed, n));
const red = kinds.filter((kind) => labelOf(kind).startsWith('red '));
const changed: Record<string, Picture> = {
  dimmed: pictures(144, async (n) =>
    sharp(await parts(n))
      .linear(0.2)
      .jpeg()
      .toBuffer(),
  ),
  blurred: pictures(144, async (n) =>
    sharp(await parts(n))
      .blur(8)
      .jpeg()
      .toBuffer(),
  ),
  swapped: pictures(144, (n) => drawPicture(red[n % red.length]!, seed + 1, n)),
};

itThorough(
  'notices that a belt has changed, says so, and says when it is over or accepted',
  async () => {
    await using rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1', TZ: 'UTC' });
    rig.env['VISIONSCALE_MODEL'] = modelThatExpects(join(rig.dir, 'model'));
    await rig.json(['init']);
    await using database = await openDatabase(loadConfig(rig.env).database);
    const { pool } = database;
    await using topic = await openEmbeddedTopic({ pool, name: 'visionscale.images' });
    await using producer = await topic.producer();
    let sent = 0;
    /** So many images of each belt, in turn; resolves when they are recorded. */
    const show = async (images: number, belts: Record<string, Picture>) => {
      const shown = Array.from({ length: images }, (_, n) =>
        Object.entries(belts).map(async ([belt, picture]) => ({
          key: Buffer.from(`${belt}/${sent++}.jpg`),
          value: await picture(n),
          headers: { 'content-type': 'image/jpeg', 'visionscale-belt': belt },
        })),
      );
      for (let n = 0; n < images; n += atOnce) {
        await producer.send(await Promise.all(shown.slice(n, n + atOnce).flat()));
      }
      await until(
        'rows of all images',
        async () => {
          const { rows } = await pool.query<{ n: string }>('select count(*) as n from prediction_results');
          return Number(rows[0]!.n) === sent;
        },
        120_000,
      );
    };
    const status = () =>
      rig.json<{ drift: Drift[]; verdict: { ok: boolean; text: string } }>(['status', '--exit-zero']);
    /** What the consumer tells in its row is a second old at most. */
    const drifting = async (belts: string[]) => {
      await until(`drift of ${belts.join(', ')}`, async () => {
        const { drift } = await status();
        const found = [...new Set(drift.map(({ belt }) => belt!))].toSorted();
        return JSON.stringify(found) === JSON.stringify(belts.toSorted());
      });
    };

    const consumer = rig.start(['consume', '--metrics-port', '0'], { VISIONSCALE_LOG_LEVEL: 'info' });
    await consumer.said(/metrics.*http:\S+/);
    const good = Object.fromEntries(Object.keys(changed).map((belt) => [belt, parts]));
    await show(reference + ordinary, good);
    expect((await status()).drift).toEqual([]);
    const references = await pool.query('select belt from belt_references order by belt');
    expect(references.rows).toEqual([{ belt: 'blurred' }, { belt: 'dimmed' }, { belt: 'swapped' }]);

    await show(within, { ...changed, dark: changed['dimmed']! });
    await drifting([...Object.keys(changed), 'dark']);
    const { drift, verdict } = await status();
    expect(drift.filter(({ belt }) => belt === 'swapped')).toMatchObject([{ kind: 'classes' }]);
    expect(drift.filter(({ belt }) => belt === 'dark')).toMatchObject([
      { kind: 'confidence', since: null, from: 99.4 },
    ]);
    for (const belt of ['dimmed', 'blurred']) {
      expect(drift.filter((one) => one.belt === belt).map(({ kind }) => kind)).toContain('confidence');
    }
    expect(verdict).toMatchObject({
      ok: true,
      text: expect.stringMatching(
        /^All well, but belt .* \(and \d more\): visionscale results export --belt /,
      ) as string,
    });
    const page = await rig.run(['status']);
    expect([page.code, page.stdout.replaceAll(/\s+/g, ' ')]).toEqual([
      0,
      expect.stringMatching(
        /belt dimmed: since \d\d:\d\d mean confidence fell from 9\d % to \d+ %/,
      ) as string,
    ]);
    await consumer.said(/belt swapped: since \d\d:\d\d the share of .* rose from/);
    await consumer.said(/belt dark: mean confidence \d+ %, 99 % in training/);

    // The lamp is repaired; the swapped belt is as it should be.
    expect(await rig.json(['model', 'accept', '--belt', 'swapped'])).toEqual({ forgotten: 1 });
    for (let shown = 0; (await status()).drift.some(({ belt }) => belt === 'swapped'); shown += 20) {
      expect(shown).toBeLessThan(5000);
      await show(20, { swapped: changed['swapped']! });
    }
    await show(within, { dimmed: parts });
    await drifting(['blurred', 'dark']);
    await consumer.said(/belt dimmed: mean confidence is back at 9/);
    consumer.process.kill('SIGTERM');
    expect((await consumer.ended).code).toBe(0);
    // A consumer that has ended tells nothing any more.
    expect((await status()).drift).toEqual([]);
  },
  300_000,
);

/** The bundled model, with a manifest that tells what its held-out images showed. */
function modelThatExpects(directory: string): string {
  cpSync(fileURLToPath(new URL('../../models/squeezenet', import.meta.url)), directory, { recursive: true });
  const file = join(directory, 'model.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object;
  const expected = {
    images: 1152,
    confidence: { mean: 99.4, sd: 4 },
    classes: Array.from({ length: kinds.length }, () => 16),
  };
  writeFileSync(file, JSON.stringify({ ...manifest, expected }));
  return directory;
}
