/** Processes that are up before what they need: they wait, say for what, and go on by themselves or give up when they are told to. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

const nowhere = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };

describe('a consumer that starts too early', () => {
  it('waits for its database, and ends in good order when told to stop meanwhile', async () => {
    await using rig = await Rig.open(nowhere);
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const early = rig.start(['consume', '--partition', '0']);
    await early.said(/waiting: PostgreSQL at 127.0.0.1:1.*ECONNREFUSED.*DATABASE_URL/);
    early.process.kill('SIGTERM');
    expect(await early.ended).toMatchObject({ code: 0 });
  });
});

describe('--give-up-after', () => {
  it.each(['consume --partition 0', 'produce --follow', 'upload camera'])(
    'is how long %s waits for a server before it fails',
    async (command) => {
      await using rig = await Rig.open(nowhere);
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      mkdirSync(join(rig.dir, 'camera'));
      const { code, stderr } = await rig.run([...command.split(' '), '--give-up-after', '500ms']);
      expect(code).toBe(1);
      expect(stderr.match(/waiting: PostgreSQL at 127.0.0.1:1/g)).toHaveLength(1);
      expect(stderr).toMatch(/^visionscale: (gave up the database|PostgreSQL at).*ECONNREFUSED/m);
    },
  );

  it('is no wait at all for commands that are not told', async () => {
    await using rig = await Rig.open(nowhere);
    const { code, stderr } = await rig.run(['produce']);
    expect(code).toBe(1);
    expect(stderr).not.toContain('waiting');
  });

  itThorough('ends a service whose server goes away later, and stays away', async () => {
    await using rig = await Rig.open();
    mkdirSync(join(rig.dir, 'camera'));
    const watcher = rig.start(['watch', 'camera', '--give-up-after', '1s']);
    await watcher.said(/"watching"/);
    renameSync(join(rig.dir, 'data/images'), join(rig.dir, 'data/gone'));
    const { code, stderr } = await watcher.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/waiting for the object store: .*does not exist/);
    expect(stderr).toMatch(/^visionscale: gave up the object store, away for 1s: .*does not exist/m);
  });
});
