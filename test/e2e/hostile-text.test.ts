/** What keys, categories and reasons may hold: shown on a terminal without being obeyed, in a CSV without being run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

/** Colours, a title, a link, the screen cleared, a carriage return, a bell, C1's own introducer. */
const hostile = 'a\u001b[31mred\u001b]0;title\u0007\u001b]8;;http://x\u001b\\\u001b[2J\r\u0007\u009b1mz';
const formulas = ['=1+1', '+1', '-1', '@sum', '\tx', '=cmd|"/c calc"!A1'];
/** Whatever a terminal obeys but the end of a line. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

describe('text from outside', () => {
  let rig: Rig;
  let database: Database;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_WORKERS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    await rig.json(['init']);
    database = await openDatabase(loadConfig(rig.env).database);
    const predict = (key: string, category: string, n: number) =>
      database.pool.query(
        `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic,
           partition, "offset", model, model_version, model_digest, top, stages)
         values ($1, $2, 50, $3, 'default', $4, 'visionscale.images', 0, $5, 'm', '1', 'd', '[]', '{}')`,
        [key, category, hostile, `r${n} ${key}`, n],
      );
    await predict(`${hostile}.jpg`, hostile, 0);
    for (const [n, formula] of formulas.entries()) await predict(`${formula} key`, formula, n + 1);
    await database.pool.query(
      `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage, code,
         message, hostname)
       values ('default', $1, $1, 'visionscale.images', 0, 99, '{}', 'read', 'corrupt', $1, $1)`,
      [hostile],
    );
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  it.each([
    [['results'], 'red'],
    [['dead-letters', 'list'], 'red'],
    [['dead-letters', 'show', '1'], 'red'],
    [['audit'], 'red'],
    [['correct', hostile, hostile, '--new'], 'cannot be a label'],
    [['correct', hostile, 'gear', '--new'], 'red'],
  ])('is shown by %j, and not obeyed', async (args, shown) => {
    const { stdout, stderr } = await rig.run(args);
    expect(stdout + stderr).toContain(shown);
    expect(stdout + stderr).not.toMatch(obeyed);
  });

  const named = async (...commands: string[][]) => {
    mkdirSync(join(rig.dir, 'images', hostile.replaceAll('/', '')), { recursive: true });
    const below = (name: string) => join(rig.dir, 'images', hostile.replaceAll('/', ''), name);
    writeFileSync(below('good.png'), await colorImage('red', 1));
    writeFileSync(below('bad.png'), 'no image');
    for (const args of commands) {
      const { stdout, stderr } = await rig.run(args);
      expect(stdout + stderr).toMatch(/red/);
      expect({ args, text: (stdout + stderr).match(obeyed) }).toEqual({ args, text: null });
    }
  };
  itThorough('is shown where it names files', () =>
    named(['classify', '--local', 'images'], ['upload', 'images']),
  );
  itThorough('is shown where it names classes', () =>
    named(['train', 'images', '--name', 'x', '--from', 'belt-parts']),
  );

  it('is no formula in a CSV', async () => {
    const { stdout } = await rig.run(['results', '--csv', '--limit', '100']);
    for (const formula of formulas) expect(stdout).toContain(`'${formula.replaceAll('"', '""')} key`);
    // No cell, quoted or not, begins as a formula does.
    expect(stdout).not.toMatch(/(^|[\n,])"?[=+\-@\t]/);
  });
});
