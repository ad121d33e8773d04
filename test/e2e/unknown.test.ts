/** Unknown objects through the built binary: a model that tells them, their bin, their rows, and how they get a label. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel, writeTellingColorModel } from '../support/color-model.ts';

interface Row {
  imageKey: string;
  category: string;
  novelty: number | null;
  bin: string;
  binReason: string;
}

const rules = 'unknown: foreign\ndefaults: {confidence: 50}\nbins: {left: [red], right: ["gr*", blue]}';

describe('unknown objects', () => {
  let rig: Rig;
  let quiet: string;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
    quiet = writeColorModel(join(rig.dir, 'quiet'));
    rig.env['VISIONSCALE_MODEL'] = writeTellingColorModel(join(rig.dir, 'telling'));
    mkdirSync(join(rig.dir, 'images'));
    for (const color of [...colors, 'white'] as const)
      writeFileSync(join(rig.dir, 'images', `${color}.png`), await colorImage(color, 1));
    writeFileSync(join(rig.dir, 'bins.yaml'), rules);
    writeFileSync(join(rig.dir, 'plain.yaml'), rules.replace('unknown: foreign\n', ''));
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  it('are marked by classify in text, JSON, CSV and the page', async () => {
    const page = ['classify', 'images', '--local', '--html', 'page.html', '--out', 'labels.csv'];
    const shown = await rig.run(page);
    expect([shown.code, shown.stdout.match(/unknown/g)?.length]).toEqual([0, 1]);
    expect(shown.stdout).toMatch(/white\.png .*unknown \(2\.4\)/);
    const html = readFileSync(join(rig.dir, 'page.html'), 'utf8');
    expect(html.match(/<mark>unknown<\/mark>/g)).toHaveLength(1);
    expect(html.indexOf('white.png')).toBeLessThan(html.indexOf('red.png'));
    const [head, ...lines] = readFileSync(join(rig.dir, 'labels.csv'), 'utf8').trim().split('\n');
    expect(head).toMatch(/,novelty$/);
    expect(lines.filter((line) => /,2\.4\d*$/.test(line))).toEqual([expect.stringContaining('white.png')]);
    const silent = await rig.run(['classify', 'images', '--local', '--json'], { VISIONSCALE_MODEL: quiet });
    for (const line of silent.stdout.trim().split('\n'))
      expect(JSON.parse(line)).toHaveProperty('novelty', null);
  });

  it('have a bin of their own, of which bins check says when the model tells none', async () => {
    expect(await rig.json(['bins', 'check', 'bins.yaml'])).toMatchObject({ ok: true, tellsUnknown: true });
    const told = await rig.run(['bins', 'check', 'bins.yaml'], { VISIONSCALE_MODEL: quiet });
    expect(told.code).toBe(0);
    expect(told.stdout).toContain(
      'note   foreign: gets no unknown objects: the active model does not tell them',
    );
    const plain = await rig.run(['bins', 'check', 'plain.yaml'], { VISIONSCALE_MODEL: quiet });
    expect(plain.stdout).not.toContain('unknown objects');
  });

  it('are sorted by a consumer, and found by results', async () => {
    await rig.json(['init']);
    await rig.json(['upload', 'images']);
    await rig.json(['bins', 'use', 'plain.yaml']);
    expect((await rig.run(['bins', 'use', 'bins.yaml'])).stderr).toContain(
      'unknown objects: manual -> foreign',
    );
    const following = rig.start(['results', '--follow', '--unknown']);
    await following.said(/waiting for new ones/);
    await rig.json(['produce']);
    await rig.json(['consume', '--until-drained']);
    await following.printed(1);
    following.process.kill('SIGINT');
    expect((await following.ended).stdout).toMatch(
      /^\S+ {2}white\.png .* {2}foreign \(unknown\) {2}\d+ ms\n$/,
    );
    const rows = await rig.json<Row[]>(['results']);
    const white = expect.closeTo(2.44, 1) as number;
    expect(
      new Map(rows.map(({ imageKey, ...row }) => [imageKey, [row.novelty, row.bin, row.binReason]])),
    ).toEqual(
      new Map([
        ['red.png', [0, 'left', 'mapped']],
        ['green.png', [0, 'right', 'mapped']],
        ['blue.png', [0, 'right', 'mapped']],
        ['white.png', [white, 'foreign', 'unknown']],
      ]),
    );
    const unknown = await rig.json<Row[]>(['results', '--unknown']);
    expect(unknown.map(({ imageKey }) => imageKey)).toEqual(['white.png']);
    const text = (await rig.run(['results'])).stdout;
    expect(text).toMatch(/white\.png .*unknown \(2\.4\) +foreign +unknown/);
    expect((await rig.run(['results', '--key', 'red.png'])).stdout).not.toContain('novelty');
    const tried = await rig.run(['bins', 'try', '--key', 'white.png', '--file', 'plain.yaml']);
    expect(tried.stdout).toMatch(/unlike every class \(novelty 2\.4\d; unknown from 1\): manual \(unknown\)/);
    expect((await rig.run(['bins', 'show'])).stdout).toContain('unknown: "foreign"');
  });

  it('leave their bin with other rules, also where a later version has stored what this one cannot read', async () => {
    await using database = await openDatabase(loadConfig(rig.env).database);
    await database.pool.query(
      `update bin_versions set rules = rules || '{"unheard of": 1}' where version = 2`,
    );
    const refused = await rig.run(['bins', 'show']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('bins use <file>')]);
    expect(await rig.json(['bins', 'use', 'plain.yaml'])).toMatchObject({
      version: 1,
      former: 2,
      changes: null,
    });
  });

  it('wait for their labels in a folder that stands for no class', async () => {
    const exported = await rig.run(['results', 'export', '--unknown', 'new']);
    expect(exported.stdout).toContain('1 image in new/to-label');
    const [file] = readdirSync(join(rig.dir, 'new/to-label'));
    const correct = ['correct', '--from', 'new', '--new'];
    expect(await rig.json(correct)).toMatchObject({ corrected: 0, unsorted: 1, removed: 0 });
    mkdirSync(join(rig.dir, 'new/spring'));
    renameSync(join(rig.dir, 'new/to-label', file!), join(rig.dir, 'new/spring', file!));
    expect(await rig.json(correct)).toMatchObject({ corrected: 1, moved: 1, unsorted: 0, removed: 0 });
    expect(await rig.json(['results', 'export', '--unknown', 'rest'])).toMatchObject({ exported: 0 });
    expect(await rig.json(['results', 'accuracy'])).toMatchObject({ models: [{ images: 1, right: 0 }] });
  });
});
