/** `up`: everything on this machine, staying up; what other terminals are told works; nothing is left afterwards. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { readOwners } from '../../src/lib/systems/database/tables/owners.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { until } from '../support/guest.ts';
import { nothingLeft, processesOf } from '../support/processes.ts';
import { describeThorough } from '../support/thorough.ts';

const binary = fileURLToPath(new URL('../../bin/visionscale.js', import.meta.url));
const images = 12;
/** Posted while a consumer is away: some of them are for its partition. */
const more = 20;
/** That a person reads once everything is at work. */
const lastLines = 8;

async function upRig(env: Record<string, string> = {}): Promise<Rig> {
  // A name that no shell takes as it is.
  const rig = await Rig.open({ VISIONSCALE_HTTP_PORT: '0', ...env }, "visionscale up o'rig ");
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  const dir = join(rig.dir, 'images');
  mkdirSync(dir);
  for (let n = 0; n < images; n++) {
    writeFileSync(join(dir, `${n}.png`), await colorImage(colors[n % 3]!, n));
  }
  return rig;
}

/** Resolves with the JSON line that says that everything is at work. */
async function isUp(running: Running): Promise<{ state: string; pid: number; server: string | null }> {
  let stdout = '';
  running.process.stdout!.on('data', (chunk: string) => (stdout += chunk));
  await Promise.race([
    until('up', () => stdout.includes('\n'), 60_000),
    running.ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
  ]);
  return JSON.parse(stdout.split('\n')[0]!) as { state: string; pid: number; server: string | null };
}

describeThorough('up', () => {
  it('works for other terminals, restarts what dies, and leaves nothing when it is stopped', async () => {
    await using rig = await upRig();
    const running = rig.start(['up', '--json', '--metrics-port', '0']);
    const { pid, server } = await isUp(running);
    await running.said(/consumer 2: metrics on http:/);
    expect(pid).toBe(running.process.pid);

    // Another terminal: it has none of these settings, and one that would lead elsewhere.
    const terminal = async (script: string) => {
      const { stdout } = await promisify(execFile)('sh', ['-ec', script, 'sh', process.execPath, binary], {
        cwd: rig.dir,
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          KAFKA_BROKERS: 'nowhere.invalid:9092',
          DIRECTORY: rig.env['VISIONSCALE_DATA_DIR'],
        },
      });
      return stdout;
    };
    const stdout = await terminal(
      `eval "$("$1" "$2" up --print-env --data-dir "$DIRECTORY")"
       "$1" "$2" upload images --json && "$1" "$2" produce --json`,
    );
    const [uploaded, produced] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(uploaded).toMatchObject({ uploaded: images });
    expect(produced).toMatchObject({ produced: images });

    await using database = await openDatabase({
      kind: 'embedded',
      dataDir: rig.env['VISIONSCALE_DATA_DIR']!,
    });
    const rows = async () => (await database.pool.query('select 1 from prediction_results')).rowCount ?? 0;
    await until('rows', async () => (await rows()) === images, 60_000);

    // By HTTP too.
    const post = async (n: number, query = '') =>
      fetch(new URL(`/v1/images${query}`, server!), {
        method: 'POST',
        headers: { 'content-type': 'image/png', 'visionscale-image-name': `${n}.png` },
        body: new Uint8Array(await colorImage('green', n)),
      });
    const posted = await post(999, '?wait=30s');
    expect([posted.status, await posted.json()]).toMatchObject([200, { category: 'green' }]);

    // A second one sees the first.
    const second = await rig.run(['up']);
    expect([second.code, second.stdout]).toEqual([1, '']);
    expect(second.stderr).toContain(`(process ${pid})`);
    expect(second.stderr).toContain('visionscale up --stop --data-dir ');

    // A consumer that is killed comes back, and what came meanwhile is classified.
    const ownerOf = async (partition: number) =>
      (await readOwners(database.pool, 'default', 'visionscale.images')).find(
        (owner) => owner.partition === partition,
      );
    const before = (await ownerOf(0))!.owner!;
    process.kill(Number(before.split(':').at(-2)), 'SIGKILL');
    await running.said(/consumer 0 ended with SIGKILL.*restarting it in 0\.5 s/);
    for (let n = 0; n < more; n++) expect((await post(n)).status).toBe(202);
    await until('the other rows', async () => (await rows()) === images + 1 + more, 60_000);
    const after = (await ownerOf(0))!;
    expect(after.owner).not.toBe(before);
    expect(after.live).toBe(true);

    // One that hangs is ended, and comes back.
    const hanging = (await ownerOf(1))!.owner!;
    process.kill(Number(hanging.split(':').at(-2)), 'SIGSTOP');
    await running.said(/consumer 1 \(process \d+\) did not answer for 20 s and was killed; restarting it in/);
    await until(
      'another owner',
      async () => {
        const now = await ownerOf(1);
        return now?.live === true && now.owner !== hanging;
      },
      60_000,
    );
    await database[Symbol.asyncDispose]();

    expect(await rig.json(['up', '--stop'])).toEqual({ stopped: true, pid });
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout.trim().split('\n').at(-1)!)).toMatchObject({ state: 'down', restarts: 2 });
    await nothingLeft(rig.dir);

    const nothing = await rig.run(['up', '--print-env']);
    expect([nothing.code, nothing.stdout]).toEqual([1, '']);
    expect(nothing.stderr).toContain('nothing is running');
  }, 240_000);

  it.runIf(process.platform === 'linux')(
    'leaves nothing when it is killed, and comes up again',
    async () => {
      await using rig = await upRig({ VISIONSCALE_PARTITIONS: '1' });
      const killed = rig.start(['up', '--json']);
      await isUp(killed);
      expect(processesOf(rig.dir).length).toBeGreaterThan(3);
      killed.process.kill('SIGKILL');
      await killed.ended;
      await nothingLeft(rig.dir);

      const again = rig.start(['up']);
      await again.printed(lastLines);
      again.process.kill('SIGINT');
      const { code, stdout } = await again.ended;
      expect(code).toBe(0);
      // What it says last, before it is stopped, is where to look.
      expect(stdout.split('\n').slice(lastLines - 2, lastLines)).toEqual([
        expect.stringContaining('live page'),
        expect.stringMatching(/^ {2}http:\/\/127\.0\.0\.1:\d+$/),
      ]);
      await nothingLeft(rig.dir);
    },
    240_000,
  );

  it('ends with what a consumer said when that cannot start', async () => {
    await using rig = await upRig({ VISIONSCALE_PARTITIONS: '1' });
    writeFileSync(rig.env['VISIONSCALE_MODEL']!, 'not a model');
    const ended = await rig.run(['up']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/consumer \d ended with exit code 1/);
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    await nothingLeft(rig.dir);
  });
});
