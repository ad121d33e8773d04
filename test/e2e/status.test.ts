/** The page of `status` on the built binary: exit codes, what is away, a consumer that waits at its start, and --watch. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { until } from '../support/guest.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.open({ VISIONSCALE_PARTITIONS: '2', VISIONSCALE_WORKERS: '1' });
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  const dir = join(rig.dir, 'images');
  mkdirSync(dir);
  for (let n = 0; n < 6; n++) writeFileSync(join(dir, `${n}.png`), await colorImage(colors[n % 3]!, n));
  await rig.json(['init']);
  await rig.json(['upload', 'images']);
  await rig.json(['produce']);
});
afterAll(() => rig?.[Symbol.asyncDispose]());

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);

describe('status', () => {
  it('says which partitions have messages and no consumer, and exits with 1 unless told not to', async () => {
    const found = await rig.run(['status']);
    expect([found.code, lastLine(found.stdout)]).toEqual([
      1,
      'Partitions 0, 1 have 6 messages and no consumer: visionscale consume',
    ]);
    for (const line of found.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(await rig.run(['status', '--exit-zero'])).toMatchObject({ code: 0, stdout: found.stdout });
  });

  itThorough('shows a consumer that waits for its store before it owns anything', async () => {
    const away = {
      VISIONSCALE_STORE: 's3://imgs',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
    };
    const consumer = rig.start(['consume'], away);
    await consumer.said(/waiting for the object store: /);
    const found = await rig.run(['status'], away);
    expect(found.code).toBe(1);
    expect(found.stdout.replaceAll(/\s+/g, ' ')).toMatch(/The object store is away, .*s3:\/\/imgs/);
    expect(found.stdout).toMatch(/object store AWAY: /);
    expect(found.stdout).toMatch(new RegExp(`:${consumer.process.pid} +waiting `));
    // A host that reaches the store sees that another one does not.
    const elsewhere = await rig.run(['status']);
    expect(elsewhere.stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /Partitions 0, 1 have 6 messages, and \S+ waits: .*s3:\/\/imgs/,
    );
    consumer.process.kill('SIGTERM');
    expect(await consumer.ended).toMatchObject({ code: 0 });
  });

  it('is all well when everything is classified', async () => {
    await rig.json(['consume', '--until-drained']);
    const found = await rig.run(['status']);
    expect([found.code, lastLine(found.stdout)]).toEqual([
      0,
      'All well: every message is answered. No consumer is running: visionscale consume',
    ]);
    expect(found.stdout).toMatch(/the last prediction was \d+ s ago/);
    expect(await rig.json(['status'])).toMatchObject({
      verdict: { ok: true },
      servers: { database: { reachable: true }, topic: { reachable: true }, store: { reachable: true } },
      lastPrediction: expect.stringMatching(/^20/) as string,
      consumers: [],
    });
  });

  it('tells what a running consumer costs, with the process that classifies', async () => {
    const consumer = rig.start(['consume']);
    const costs = async () =>
      (
        await rig.json<{ consumers: { cpuCores: number | null; memoryBytes: number | null }[] }>(['status'])
      ).consumers.map(({ cpuCores, memoryBytes }) => ({ cpuCores, memoryBytes }));
    // Its first heartbeat has nothing to compare with; two Node.js processes have more than 70 MB.
    const above = { asymmetricMatch: (value: unknown) => Number(value) > 0 };
    const aboveTwo = { asymmetricMatch: (value: unknown) => Number(value) > 70e6 };
    await expect.poll(costs, { timeout: 60_000 }).toEqual([{ cpuCores: above, memoryBytes: aboveTwo }]);
    expect((await rig.run(['status'])).stdout).toMatch(
      /cores +memory +images\/min\n.* \d+\.\d\d +\d+ MB +\d+\n/,
    );
    consumer.process.kill('SIGTERM');
    expect(await consumer.ended).toMatchObject({ code: 0 });
  });

  it('says in a sentence that the database is away', async () => {
    const found = await rig.run(['status'], { DATABASE_URL: 'postgres://me@127.0.0.1:9/db' });
    expect(found.code).toBe(1);
    expect(found.stderr).toMatch(
      /^visionscale: the database is away: PostgreSQL at 127\.0\.0\.1:9\/db: .*\n/,
    );
  });

  itThorough('does not fail where the topic is away', async () => {
    const found = await rig.run(['status'], { KAFKA_BROKERS: '127.0.0.1:9' });
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/database ok, object store ok\ntopic AWAY: /);
    expect(found.stdout).toContain('predictions 6');
  });

  itThorough('shows it again and again with --watch, until it is told to stop', async () => {
    const running = rig.start(['status', '--watch']);
    let shown = '';
    running.process.stdout!.on('data', (chunk: string) => (shown += chunk));
    await until('three pages', () => (shown.match(/All well/g) ?? []).length >= 3);
    running.process.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('\x1b');
  });

  it.runIf(thorough && process.platform === 'linux')(
    thoroughTitle('names the process of a consumer that hangs, until it is gone'),
    async () => {
      const hangs = rig.start(['consume']);
      await hangs.said(/consuming/);
      hangs.process.kill('SIGSTOP');
      const command = `kill -9 ${hangs.process.pid}`;
      const verdict = async () =>
        (await rig.json<{ verdict: { kind: string; command: string | null } }>(['status', '--exit-zero']))
          .verdict;
      await expect.poll(verdict, { timeout: 60_000 }).toMatchObject({ kind: 'silent', command });
      await rig.json(['produce', '--again']);
      expect(await verdict()).toMatchObject({ kind: 'owner_hangs', command });
      hangs.process.kill('SIGKILL');
      await hangs.ended;
      expect(await verdict()).toMatchObject({ kind: 'no_consumer' });
      await rig.json(['consume', '--until-drained']);
    },
  );
});
