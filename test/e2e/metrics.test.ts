/** A consumer seen from outside: what its metrics count is what the database has. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { Exposition } from '../support/exposition.ts';
import { until } from '../support/guest.ts';

const images = 24;
const missing = 3;

async function metricsUrl(running: Running): Promise<string> {
  let said = '';
  running.process.stderr!.on('data', (chunk: string) => (said += chunk));
  await running.said(/metrics on http:\S+\n/);
  return /metrics on (http:\S+)\n/.exec(said)![1]!;
}

async function scrape(url: string): Promise<Exposition> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return new Exposition(await response.text());
}

/** What the database has. */
async function recorded(rig: Rig): Promise<{ predictions: number; deadLetters: number; latencyMs: number }> {
  await using database = await openDatabase({
    kind: 'embedded',
    dataDir: rig.env['VISIONSCALE_DATA_DIR']!,
  });
  const { rows } = await database.pool.query<Awaited<ReturnType<typeof recorded>>>(
    `select count(*)::int as predictions, sum(latency_ms)::float8 as "latencyMs",
       (select count(*)::int from dead_letters) as "deadLetters" from prediction_results`,
  );
  return rows[0]!;
}

describe('the metrics of consume', () => {
  it('equal the rows and dead letters, and tell what they took', async () => {
    await using rig = await Rig.open({
      VISIONSCALE_NOT_FOUND_GRACE: '0',
      VISIONSCALE_WORKERS: '1',
      // It is no dependency: where it is absent that is said once, and nothing else changes.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const dir = join(rig.dir, 'images');
    mkdirSync(dir);
    for (let n = 0; n < images; n++) {
      writeFileSync(join(dir, `${n}.png`), await colorImage(colors[n % 3]!, n));
    }
    expect(await rig.json(['upload', 'images'])).toMatchObject({ uploaded: images });
    for (let n = 0; n < missing; n++) rmSync(join(rig.dir, 'data/images', `${n}.png`));
    expect(await rig.json(['produce', '--belt', 'north'])).toMatchObject({ produced: images });

    const consumer = rig.start(['consume', '--group', '--metrics-port', '0', '--json']);
    const url = await metricsUrl(consumer);
    const outcome = (metrics: Exposition, name: string) =>
      metrics.value('visionscale_requests_total', { outcome: name }) ?? 0;
    let metrics = await scrape(url);
    await until('all outcomes', async () => {
      metrics = await scrape(url);
      return outcome(metrics, 'predicted') + outcome(metrics, 'dead_lettered') >= images;
    });
    const { predictions, deadLetters, latencyMs } = await recorded(rig);
    expect([predictions, deadLetters]).toEqual([images - missing, missing]);
    expect(outcome(metrics, 'predicted')).toBe(predictions);
    expect(outcome(metrics, 'dead_lettered')).toBe(deadLetters);
    expect(metrics.value('visionscale_dead_letters_total', { code: 'not_found' })).toBe(missing);
    expect(metrics.value('visionscale_belts_total', { belt: 'north' })).toBe(predictions);
    for (const stage of ['fetch', 'wait', 'decode', 'preprocess', 'infer']) {
      expect(metrics.value('visionscale_stage_seconds_count', { stage }), stage).toBe(predictions);
    }
    for (const name of ['queue', 'compute', 'latency']) {
      expect(metrics.value(`visionscale_${name}_seconds_count`), name).toBe(predictions);
    }
    // Rows say milliseconds; what is shown is seconds.
    expect(metrics.value('visionscale_latency_seconds_sum')).toBeCloseTo(latencyMs / 1000, 3);
    for (const partition of ['0', '1', '2']) {
      expect(metrics.value('visionscale_lag_messages', { partition }), partition).toBe(0);
      expect(metrics.value('visionscale_oldest_unanswered_seconds', { partition }), partition).toBe(0);
      expect(metrics.value('visionscale_lease', { partition }), partition).toBe(1);
      expect(metrics.value('visionscale_partition_state', { partition, state: 'consuming' })).toBe(1);
    }
    expect(metrics.value('visionscale_partitions')).toBe(3);
    expect(metrics.value('visionscale_bins_version')).toBe(0);
    expect(metrics.value('visionscale_crashes_total', { what: 'worker' })).toBe(0);
    expect(metrics.value('visionscale_model_info', { name: 'colors' })).toBe(1);
    expect(metrics.value('visionscale_in_flight_requests')).toBe(0);
    expect(metrics.value('visionscale_in_flight_bytes')).toBe(0);

    const base = new URL(url).origin;
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    const ready = await fetch(`${base}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('consuming')]);
    consumer.process.kill('SIGTERM');
    const { code, stderr } = await consumer.ended;
    expect(code).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
    expect(stderr.match(/OpenTelemetry is not installed/g)).toHaveLength(1);
    // A line a message only at debug: the first dead letter, the rest counted.
    expect(stderr.match(/"level":"warn"/g)).toHaveLength(2);
    expect(stderr).toMatch(/"byCode":\{"not_found":2\},"msg":"2 more dead letters"/);
  }, 180_000);

  it('says which port is taken, and whose setting it is', async () => {
    await using rig = await Rig.open();
    const { createServer } = await import('node:http');
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const ended = await rig.run(['consume', '--metrics-port', `${port}`]);
    other.close();
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*EADDRINUSE`));
    expect(ended.stderr).toContain('VISIONSCALE_METRICS_PORT');
  });
});
