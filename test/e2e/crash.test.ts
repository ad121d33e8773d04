/** An image that kills the process that decodes it, or the consumer with it: it alone becomes a dead letter. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { describeThorough } from '../support/thorough.ts';

const preload = fileURLToPath(new URL('../support/crash-on-marker.mjs', import.meta.url));

describeThorough('an image that kills the process', () => {
  it('is found among the others, and given up after three crashes alone', async () => {
    await using rig = await Rig.open({ VISIONSCALE_WORKERS: '1', VISIONSCALE_PARTITIONS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const images = join(rig.dir, 'images');
    mkdirSync(images);
    for (let n = 0; n < 40; n++) writeFileSync(join(images, `${n}.png`), await colorImage(colors[n % 3]!, n));
    // Bytes behind the end of an image change nothing for a decoder, or for `upload`.
    const deadly = await colorImage('red', 50);
    writeFileSync(join(images, '5 deadly.png'), Buffer.concat([deadly, Buffer.from('KILLS-THE-PROCESS')]));
    await rig.json(['init']);
    await rig.json(['upload', images]);
    await rig.json(['produce']);

    let crashes = 0;
    for (;;) {
      const args = ['consume', '--partition', '0', '--until-drained', '--json'];
      const ended = await rig.run(args, { NODE_OPTIONS: `--import "${preload}"` });
      if (ended.code === 0) break;
      expect(ended).toMatchObject({ signal: 'SIGSEGV' });
      expect(++crashes).toBeLessThan(6);
    }
    // Once among others, three times alone.
    expect(crashes).toBe(4);
    expect(await rig.json(['status'])).toMatchObject({
      predictions: 40,
      deadLetters: 1,
      partitions: [{ lag: 0, state: 'free' }],
    });
    const log = await rig.run(['consume', '--partition', '0', '--until-drained']);
    expect(log.stderr).not.toMatch(/one at a time/);
  }, 120_000);

  it('is given up after three tries where it kills its worker process alone, and the consumer goes on', async () => {
    await using rig = await Rig.open({ VISIONSCALE_WORKERS: '1', VISIONSCALE_PARTITIONS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const images = join(rig.dir, 'images');
    mkdirSync(images);
    for (let n = 0; n < 10; n++) writeFileSync(join(images, `${n}.png`), await colorImage(colors[n % 3]!, n));
    const deadly = await colorImage('red', 50);
    writeFileSync(join(images, '5 deadly.png'), Buffer.concat([deadly, Buffer.from('KILLS-ITS-WORKER')]));
    await rig.json(['init']);
    await rig.json(['upload', images]);
    await rig.json(['produce']);
    const args = ['consume', '--partition', '0', '--until-drained', '--json'];
    const ended = await rig.run(args, { NODE_OPTIONS: `--import "${preload}"` });
    expect(ended).toMatchObject({ code: 0 });
    expect(JSON.parse(ended.stdout)).toMatchObject({ predicted: 10, deadLettered: 1 });
    expect(ended.stderr).toMatch(/a classifier process ended with SIGSEGV and is replaced/);
  }, 120_000);
});
