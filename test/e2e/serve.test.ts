/** `serve` and `classify --server` as built, on the embedded stack: from a posted image to its row, whatever is killed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

/** Five processes, on a machine that others use too. */
const timeout = 180_000;

let rig: Rig;
let database: Database;
let consumersLastWords: string | undefined;
/** One server for all tests, which follow each other: it is killed in one, and stopped in the last. */
let server: Running;
let url: string;

beforeAll(async () => {
  rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1', VISIONSCALE_WORKERS: '1' });
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  await serve('0');
  const consumer = rig.start(['consume', '--partition', '0']);
  void consumer.ended.then(({ stderr }) => (consumersLastWords = stderr));
  database = await openDatabase(loadConfig(rig.env).database);
}, timeout);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
}, timeout);

async function serve(port: string): Promise<void> {
  server = rig.start(['serve', '--json', '--drain-delay', '400ms', '--port', port]);
  let told = '';
  server.process.stderr!.on('data', (chunk: string) => (told += chunk));
  await server.said(/listening on/);
  url = /listening on (http:\/\/[^"\s]+)/.exec(told)![1]!;
}

type Bytes = Uint8Array<ArrayBuffer>;
const image = async (n: number): Promise<Bytes> => new Uint8Array(await colorImage(colors[n % 3]!, n));

function post(path: string, body: Bytes, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url + path, { method: 'POST', body, headers });
}

const idIn = async (response: Response) => ((await response.json()) as { id: string }).id;

/** Waits for them; each is there once. */
async function everyRow(ids: readonly string[]): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query('select from prediction_results where request_id = any($1)', [
      ids,
    ]);
    if (rows.length >= ids.length) {
      expect(rows).toHaveLength(ids.length);
      return;
    }
    if (consumersLastWords !== undefined) throw new Error(`the consumer has ended: ${consumersLastWords}`);
    await sleep(50);
  }
}

interface Line {
  image: string;
  category: string;
  top: unknown[];
  model: string;
}

describe('serve', { timeout }, () => {
  it('takes images in both forms; each becomes a row', async () => {
    const posted = await post('/v1/images', await image(1), {
      'visionscale-image-name': 'green.png',
      'visionscale-belt': 'b1',
    });
    expect(posted.status).toBe(202);
    const id = await idIn(posted);
    await everyRow([id]);
    const { rows } = await database.pool.query<{ category: string; belt: string }>(
      'select category, belt from prediction_results where request_id = $1',
      [id],
    );
    expect(rows).toEqual([{ category: 'green', belt: 'b1' }]);
    const waited = await post('/v1/images?wait=30s', await image(2));
    expect([waited.status, await waited.json()]).toMatchObject([200, { category: 'blue' }]);

    const sister = await post('/', await image(3), { img_name: 'red.png' });
    expect(sister.status).toBe(201);
    await everyRow([await idIn(sister)]);
    const program = await post('/', new TextEncoder().encode('MZ'), { img_name: 'setup.exe' });
    expect([program.status, await program.json()]).toMatchObject([
      400,
      { detail: '.exe files are not images' },
    ]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^visionscale_accept_seconds_count\{way="store"\} 3$/m);
  });

  it('is what classify asks: a line an image, kept in a file, going on where it was killed', async () => {
    const dir = join(rig.dir, 'images');
    mkdirSync(join(dir, 'below'), { recursive: true });
    for (let n = 0; n < 40; n++) {
      const name = `${n % 2 ? 'below/' : ''}${colors[n % 3]!} ${n} é.png`;
      writeFileSync(join(dir, name), await colorImage(colors[n % 3]!, 1000 + n));
    }
    writeFileSync(join(dir, 'notes.jpg'), 'no image');
    const env = { VISIONSCALE_SERVER: url, IMG_DIR: 'images' };
    const args = ['classify', '--out', 'labels.csv', '--json'];
    const first = rig.start([...args, '--rate', '40', '--concurrency', '2'], env);
    let printed = '';
    first.process.stdout!.on('data', (chunk: string) => {
      printed += chunk;
      if (printed.split('\n').length > 8) first.process.kill('SIGKILL');
    });
    expect((await first.ended).signal).toBe('SIGKILL');

    const second = await rig.run(args, env);
    expect(second.stderr).toMatch(
      /classified 40 images, [1-9]\d* of them earlier.* rejected 1 file; labels in/,
    );
    expect(second.stderr).toMatch(/rejected .*notes\.jpg: the content is not an image/);
    expect(second.code).toBe(1);
    const lines = second.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    expect(new Set(lines.map((line) => line.image)).size).toBe(40);
    for (const { image: path, category, top, model } of lines) {
      expect(path.split('/').at(-1)!.split(' ')[0]).toBe(category);
      expect([top.length, model]).toEqual([3, 'colors']);
    }
    const csv = readFileSync(join(rig.dir, 'labels.csv'), 'utf8').trimEnd().split('\n');
    expect([csv.length, csv[0]]).toEqual([41, 'image,category,confidence,bin,model,id,novelty']);
    // Nothing was classified twice, not even what the first run had sent and not yet been answered.
    const { rows } = await database.pool.query<{ key: string }>(
      `select image_key as key from prediction_results where image_key like '%é.png'`,
    );
    expect(rows).toHaveLength(40);
    expect(new Set(rows.map(({ key }) => key.split('/').at(-1))).size).toBe(40);

    const table = await rig.run(['classify', 'images/below', '--server', url, '--limit', '3']);
    expect([table.code, table.stdout]).toEqual([0, expect.stringMatching(/^image +category +%\n(.*\n){3}$/)]);
  });

  itThorough('killed under load loses no image that it has acknowledged', async () => {
    const acknowledged: string[] = [];
    const unsure: { key: string; body: Bytes }[] = [];
    let over = false;
    let n = 0;
    const send = (key: string, body: Bytes) => post('/v1/images', body, { 'idempotency-key': key });
    const sender = async () => {
      while (!over) {
        const [key, body] = [`key-${++n}`, await image(2000 + n)];
        try {
          const response = await send(key, body);
          if (response.status !== 202) throw new Error(String(response.status));
          acknowledged.push(await idIn(response));
        } catch {
          unsure.push({ key, body });
          await sleep(500);
        }
      }
    };
    const senders = [sender(), sender(), sender(), sender()];
    while (acknowledged.length < 40) await sleep(2);
    server.process.kill('SIGKILL');
    await server.ended;
    await serve(new URL(url).port);
    const before = acknowledged.length;
    while (acknowledged.length < before + 10) await sleep(2);
    over = true;
    await Promise.all(senders);
    expect(unsure.length).toBeGreaterThan(0);
    // Sent again under its key, what was in doubt becomes one image each, never two.
    for (const { key, body } of unsure) {
      const response = await send(key, body);
      expect([200, 202]).toContain(response.status);
      acknowledged.push(await idIn(response));
    }
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    await everyRow(acknowledged);
  });

  itThorough('told to stop under load says so first, and answers all that it has begun', async () => {
    const acknowledged: string[] = [];
    const sender = async () => {
      for (let n = 3000; ; n++) {
        const body = await image(n);
        const response = await post('/v1/images', body).catch(() => undefined);
        // A connection that is refused, or closed between two requests: nothing was begun.
        if (response === undefined || response.status === 503) return;
        expect(response.status).toBe(202);
        acknowledged.push(await idIn(response));
      }
    };
    const earlier = acceptedBy(await (await fetch(`${url}/metrics`)).text());
    const senders = [sender(), sender(), sender()];
    while (acknowledged.length < 10) await sleep(2);
    server.process.kill('SIGTERM');
    await server.said(/stopping: finishing/);
    const before = acknowledged.length;
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([503, { draining: true }]);
    await Promise.all(senders);
    const { code, stdout, stderr } = await server.ended;
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/\n\s+at /)]);
    // Until the load balancer has noticed, it went on as before.
    expect(acknowledged.length).toBeGreaterThan(before);
    expect((JSON.parse(stdout) as { accepted: number }).accepted - earlier).toBe(acknowledged.length);
    await everyRow(acknowledged);
  });

  it('makes tokens that the settings take', async () => {
    const made = await rig.json<{ token: string; entry: string }>(['serve', '--new-token', 'belt-1']);
    const { tokens } = loadConfig({ VISIONSCALE_TOKENS: made.entry }).http;
    expect(tokens.map(({ name }) => name)).toEqual(['belt-1']);
    expect(made.entry).not.toContain(made.token);
  });
});

/** As its metrics say: images so far. */
function acceptedBy(metrics: string): number {
  const counts = [...metrics.matchAll(/^visionscale_accept_seconds_count\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, match) => sum + Number(match[1]), 0);
}
