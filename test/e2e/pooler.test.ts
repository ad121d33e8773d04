/** Everything through a real PgBouncer with its defaults: no startup parameter it refuses, no state of a session. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { oddSettings, testRole, type TestRole } from '../support/roles.ts';
import { address, describeWith } from '../support/servers.ts';
import { pipelineSuite } from './pipeline.ts';

const timeout = 120_000;
const id = randomBytes(4).toString('hex');

describeWith('PgBouncer', 'behind PgBouncer, by transaction', (pooler) => {
  let role: TestRole;
  const database = `visionscale_pooled_${id}`;
  beforeAll(async () => {
    role = await testRole(address('PostgreSQL')!, oddSettings);
    // By an administrator, for PgBouncer looks roles up in the very database; by session, below, `init` makes it.
    for (const name of [database, `${database}_serve`]) await role.create(name);
  }, timeout);
  afterAll(() => role[Symbol.asyncDispose](), timeout);

  pipelineSuite('the pipeline, for a role with odd settings', () => ({
    DATABASE_URL: role.on(pooler, database),
  }));

  describe('serve', { timeout }, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await Rig.open({
        DATABASE_URL: role.on(pooler, `${database}_serve`),
        PGOPTIONS: '-csearch_path=line_2',
        VISIONSCALE_PARTITIONS: '1',
        VISIONSCALE_WORKERS: '1',
      });
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      await rig.json(['init']);
    }, timeout);
    afterAll(() => rig[Symbol.asyncDispose](), timeout);

    it('answers an image with its result, in a schema of its own', async () => {
      const consumer = rig.start(['consume', '--partition', '0']);
      const server = rig.start(['serve', '--port', '0', '--json']);
      let told = '';
      server.process.stderr!.on('data', (chunk: string) => (told += chunk));
      await server.said(/listening on/);
      const url = /listening on (http:\/\/[^"\s]+)/.exec(told)![1]!;
      const posted = await fetch(`${url}/v1/images?wait=60s`, {
        method: 'POST',
        body: new Uint8Array(await colorImage('green', 1)),
        headers: { 'visionscale-image-name': 'green.png' },
      });
      expect([posted.status, await posted.json()]).toEqual([
        200,
        expect.objectContaining({ category: 'green' }) as unknown,
      ]);
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      for (const { process } of [server, consumer]) process.kill('SIGTERM');
      expect((await server.ended).code).toBe(0);
      expect((await consumer.ended).code).toBe(0);
      expect(await rig.json(['audit'])).toMatchObject({ ok: true });
      expect(
        await role.sql(
          `select table_schema from information_schema.tables where table_name = 'prediction_results'`,
          `${database}_serve`,
        ),
      ).toEqual([{ table_schema: 'line_2' }]);
    });

    it('doctor says that a pooler is there and what it sets', async () => {
      const { stdout } = await rig.run(['doctor', '--json']);
      const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; detail: string }[] };
      expect(checks.find(({ name }) => name === 'database')).toMatchObject({
        state: 'ok',
        detail: expect.stringMatching(/behind a pooler, sets for itself: .*DateStyle/) as string,
      });
      expect(checks.find(({ name }) => name === 'tables')).toMatchObject({
        state: 'ok',
        detail: expect.stringContaining('line_2') as string,
      });
    });
  });
});

describeWith('PgBouncer by session', 'behind PgBouncer, by session', (pooler) => {
  const url = new URL(pooler);
  url.pathname = `/visionscale_session_${id}`;
  pipelineSuite('the pipeline', () => ({ DATABASE_URL: url.href }));
});
