/** Images whose decoding would go on for hours, through the built binary: each is refused, the rest goes on, no process is left. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect } from 'vitest';
import { endMs } from '../../src/lib/pipeline/consume/options.ts';
import { Rig } from '../support/binary.ts';
import { ensureBuilt } from '../support/build.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { nothingLeft } from '../support/processes.ts';
import { slowTiff } from '../support/slow-images.ts';
import { itThorough } from '../support/thorough.ts';

beforeAll(ensureBuilt, 120_000);

const slow = await slowTiff(4800);

/** A rig with `good` images and a slow one in its folder `images`, which is the class folder `a`, too. */
async function openRig(good: number, timeout: string): Promise<Rig> {
  const rig = await Rig.open({
    VISIONSCALE_WORKERS: '1',
    VISIONSCALE_PARTITIONS: '1',
    VISIONSCALE_IMAGE_TIMEOUT: timeout,
  });
  rig.env['VISIONSCALE_STORE'] = pathToFileURL(join(rig.dir, 'store')).href;
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  const images = join(rig.dir, 'images');
  mkdirSync(images);
  for (let n = 0; n < good; n++) writeFileSync(join(images, `${n}.png`), await colorImage(colors[n % 3]!, n));
  writeFileSync(join(images, 'slow.tif'), slow);
  return rig;
}

/** The slow one lies in the store, and its key and those of the others in the topic. */
async function produced(rig: Rig): Promise<void> {
  const images = join(rig.dir, 'images');
  writeFileSync(join(images, 'slow.tif'), await colorImage('red', 77));
  await rig.json(['upload', images]);
  writeFileSync(join(images, 'slow.tif'), slow);
  copyFileSync(join(images, 'slow.tif'), join(rig.dir, 'store', 'slow.tif'));
  await rig.json(['produce']);
}

describe('an image that takes too long', () => {
  itThorough(
    'is a dead letter, and everything else a row',
    async () => {
      const rig = await openRig(20, '500ms');
      {
        await using _ = rig;
        await produced(rig);
        const ended = await rig.run(['consume', '--partition', '0', '--until-drained', '--json']);
        expect(ended).toMatchObject({ code: 0 });
        expect(JSON.parse(ended.stdout)).toMatchObject({ predicted: 20, deadLettered: 1 });
        const letters = await rig.run(['dead-letters', 'list', '--json']);
        expect(letters.stdout).toMatch(/"stage":"classify","code":"too_slow"/);
        expect(letters.stdout).toContain('more than 0.5 s of work');
      }
      await nothingLeft(rig.dir);
    },
    300_000,
  );

  itThorough(
    'does not keep a consumer from ending, and handing its partition over, in time',
    async () => {
      const rig = await openRig(5, '1h');
      {
        await using _ = rig;
        await produced(rig);
        const consumer = rig.start(['consume', '--partition', '0', '--json']);
        // With one worker the slow one, last in the topic, is what remains.
        for (;;) {
          const { predictions } = await rig.json<{ predictions: number }>(['status', '--exit-zero']);
          if (predictions === 5) break;
        }
        const told = performance.now();
        consumer.process.kill('SIGTERM');
        expect(await consumer.ended).toMatchObject({ code: 0, signal: null });
        expect(performance.now() - told).toBeLessThan(endMs);
        expect(await rig.json(['status', '--exit-zero'])).toMatchObject({
          deadLetters: 0,
          partitions: [{ lag: 1, state: 'free' }],
        });
      }
      await nothingLeft(rig.dir);
    },
    300_000,
  );

  itThorough(
    'is rejected by `upload --verify` and `classify`, which go on with the others',
    async () => {
      const rig = await openRig(3, '500ms');
      {
        await using _ = rig;
        const images = join(rig.dir, 'images');
        const uploaded = await rig.run(['upload', images, '--verify', '--json']);
        expect(uploaded.code).toBe(1);
        expect(JSON.parse(uploaded.stdout)).toMatchObject({
          uploaded: 3,
          rejected: [{ reason: 'the image takes more than 0.5 s of work' }],
        });
        const classified = await rig.run(['classify', '--local', images, '--json']);
        expect(classified.stdout.match(/"category"/g)?.length).toBeGreaterThanOrEqual(3);
        expect(classified.stdout + classified.stderr).toContain('takes more than 0.5 s of work');
      }
      await nothingLeft(rig.dir);
    },
    300_000,
  );
});
