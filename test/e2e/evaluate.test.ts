/** `evaluate` through the built binary: figures, report, unknown folders. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

interface Evaluated {
  top1: number;
  top5: number;
  images: number;
  model: string;
  report: string;
  unreadable: { path: string; reason: string }[];
}

describe('evaluate', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_WORKERS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    for (let n = 0; n < 24; n++) {
      const color = colors[n % 3]!;
      const dir = join(rig.dir, 'labelled', color);
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, `${n} <b>.png`), await colorImage(color, n));
    }
    // Two that lie in a wrong folder: mistakes, however good the model is.
    for (const n of [0, 3]) {
      const name = `${n} <b>.png`;
      renameSync(join(rig.dir, 'labelled/red', name), join(rig.dir, 'labelled/green', name));
    }
    writeFileSync(join(rig.dir, 'labelled/blue/text.jpg'), 'no image');
    writeFileSync(join(rig.dir, 'labelled/blue/notes.txt'), 'no image by name');
  });
  afterAll(async () => rig?.[Symbol.asyncDispose]());

  it('counts what is right, lists what cannot be read, and writes the report', async () => {
    const found = await rig.json<Evaluated>(['evaluate', 'labelled', '--out', 'out/here']);
    expect(found).toMatchObject({ top1: 22 / 24, top5: 1, images: 24, model: 'colors' });
    expect(found.unreadable.map(({ path }) => path)).toEqual(['labelled/blue/text.jpg']);
    const page = readFileSync(join(rig.dir, 'out/here/report.html'), 'utf8');
    expect(page).toContain('green/0 &#60;b&#62;.png');
    expect(page.match(/data:image\/jpeg;base64,/g)).toHaveLength(2);
    expect(JSON.parse(readFileSync(join(rig.dir, 'out/here/metrics.json'), 'utf8'))).toMatchObject({
      labels: ['red', 'green', 'blue'],
      confusion: [
        [6, 0, 0],
        [2, 8, 0],
        [0, 0, 8],
      ],
      confusedPairs: [{ truth: 'green', answer: 'red', images: 2, share: 0.2 }],
    });
    const mute = await rig.run(['evaluate', 'labelled', '--unknown', 'labelled']);
    expect([mute.code, mute.stdout]).toEqual([2, '']);
    expect(mute.stderr).toContain('does not tell unknown objects');
    const plain = await rig.run(['evaluate', 'labelled']);
    expect(plain.code).toBe(0);
    expect(plain.stdout).toContain('91.7');
    expect(plain.stdout).toContain('What to photograph next:');
    expect(plain.stdout).toContain('Report: evaluation/report.html');
    expect(plain.stderr).toContain('rejected  labelled/blue/text.jpg');
    expect(plain.stderr).toContain('passed over 1 file that is not an image by name (.txt)');
    const strict = await rig.run(['evaluate', 'labelled', '--strict']);
    expect([strict.code, strict.stdout]).toEqual([1, '']);
    expect(strict.stderr).toContain('labelled/blue/notes.txt: it is not an image by name');
    expect(strict.stderr).toContain('labelled/blue/text.jpg: the content is not an image');
  });

  itThorough('judges a single folder, and names unknown ones with what was meant', async () => {
    for (const [folder, n] of [
      ['gren', 1],
      ['zebra', 2],
    ] as const) {
      mkdirSync(join(rig.dir, 'odd', folder), { recursive: true });
      writeFileSync(join(rig.dir, 'odd', folder, 'a.png'), await colorImage('green', n));
    }
    mkdirSync(join(rig.dir, 'odd/red'));
    writeFileSync(join(rig.dir, 'odd/red/a.png'), await colorImage('red', 1));
    const refused = await rig.run(['evaluate', 'odd']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('gren: did you mean green?');
    expect(refused.stderr).toContain('zebra');
    expect(refused.stderr).toContain('--skip-unknown');
    expect(await rig.json(['evaluate', 'odd', '--skip-unknown'])).toMatchObject({ top1: 1, images: 1 });
    expect((await rig.run(['evaluate', 'nowhere'])).code).toBe(2);
    mkdirSync(join(rig.dir, 'empty'));
    expect((await rig.run(['evaluate', 'empty'])).code).toBe(2);
  });
});
