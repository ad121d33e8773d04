/** A consumer that is up before what it needs: it waits, says for what, and goes on by itself. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { writeColorModel } from '../support/color-model.ts';

describe('a consumer that starts too early', () => {
  it('waits for its database, and ends in good order when told to stop meanwhile', async () => {
    await using rig = await Rig.open({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const early = rig.start(['consume', '--partition', '0']);
    await early.said(/waiting: PostgreSQL at 127.0.0.1:1.*ECONNREFUSED.*DATABASE_URL/);
    early.process.kill('SIGTERM');
    expect(await early.ended).toMatchObject({ code: 0 });
  });
});
