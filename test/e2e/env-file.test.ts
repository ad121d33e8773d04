/** A `.env` in the directory where a command is run: taken, named, or refused; never a way to run something. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { plainJpeg } from '../support/images.ts';
import { itThorough } from '../support/thorough.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.open();
});
afterAll(() => rig?.[Symbol.asyncDispose]());

const envFile = (content: string | Buffer) => writeFile(join(rig.dir, '.env'), content);

describe('a .env', () => {
  it('that cannot be understood is refused before anything else is used', async () => {
    for (const content of [
      'DATABASE_URL postgres://geheim@h/db\n',
      Buffer.from('\ufeffPGHOST=geheim', 'utf16le'),
    ]) {
      await envFile(content);
      const { code, stdout, stderr } = await rig.run(['status']);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(join(rig.dir, '.env'));
      expect(stderr).not.toMatch(/geheim|\n\s+at /);
      expect(existsSync(join(rig.dir, 'data'))).toBe(false);
    }
  });

  it('is named once, and so is what was passed over', async () => {
    await envFile(
      'DATABASE_URL=postgres://127.0.0.1:9/db\nNODE_OPTIONS=--require=./geheim.cjs\nDATABASE_ULR=geheim\n',
    );
    const { code, stderr } = await rig.run(['status']);
    expect(code).toBe(1);
    expect(stderr).toContain('127.0.0.1:9/db');
    const named = stderr.split('\n').filter((line) => line.includes('reading settings from'));
    expect(named.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'info', role: 'status', file: join(rig.dir, '.env'), settings: ['DATABASE_URL'] },
    ]);
    expect(stderr).toMatch(/^ignored in .*NODE_OPTIONS, DATABASE_ULR \(did you mean DATABASE_URL\?\)/m);
    expect(stderr).not.toContain('geheim');
  });

  it('stays behind the environment', async () => {
    await envFile('DATABASE_URL=postgres://127.0.0.1:9/db\n');
    const { stderr } = await rig.run(['status'], { DATABASE_URL: 'postgres://127.0.0.1:8/other' });
    expect(stderr).toContain('127.0.0.1:8/other');
  });

  itThorough('runs nothing in child processes', async () => {
    await writeFile(
      join(rig.dir, 'evil.cjs'),
      `require('fs').writeFileSync(${JSON.stringify(join(rig.dir, 'ran'))}, '')`,
    );
    await envFile(`NODE_OPTIONS=--require=${join(rig.dir, 'evil.cjs')}\nVISIONSCALE_PIPELINE=from-file\n`);
    await mkdir(join(rig.dir, 'images'));
    await writeFile(join(rig.dir, 'images', 'a.jpg'), await plainJpeg('red', 128));
    const model = fileURLToPath(new URL('../../models/squeezenet', import.meta.url));
    const demo = await rig.run(['demo', 'images', '--model', model], { VISIONSCALE_PARTITIONS: '1' });
    expect(demo.stderr).toContain('ignored in');
    expect(demo.stderr.match(/ignored in/g)).toHaveLength(1);
    expect(demo.code, demo.stderr).toBe(0);
    expect(existsSync(join(rig.dir, 'ran'))).toBe(false);
    const { pipeline } = await rig.json<{ pipeline: string }>(['status']);
    expect(pipeline).toBe('from-file');
    await rm(join(rig.dir, '.env'));
  });
});
