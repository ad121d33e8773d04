/** Where a benchmark works: beside what is there, never in it. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/lib/config/load.ts';
import { scratchConfig } from '../../../src/lib/local/bench/scratch.ts';

const scratch = (env: Record<string, string>) =>
  scratchConfig(loadConfig({ VISIONSCALE_DATA_DIR: '/data', ...env }), '/tmp/scratch', 'abc');

describe('scratchConfig', () => {
  it('embeds everything in the scratch directory where nothing is named', () => {
    expect(scratch({})).toMatchObject({
      dataDir: '/tmp/scratch',
      pipeline: 'bench-abc',
      database: { kind: 'embedded', dataDir: '/tmp/scratch' },
      store: { kind: 'file', dir: '/tmp/scratch/images' },
    });
  });

  it('keeps the servers and takes other names on them', () => {
    const config = scratch({
      DATABASE_URL: 'postgres://me:secret@db:5433/production',
      KAFKA_BROKERS: 'kafka:9092',
      VISIONSCALE_STORE: 's3://bucket/belt',
    });
    expect(config.database).toMatchObject({
      connection: {
        host: 'db',
        port: 5433,
        user: 'me',
        password: 'secret',
        database: 'visionscale_bench_abc',
      },
    });
    // pg would prefer a URL to the fields beside it.
    expect(config.database).not.toHaveProperty('connection.connectionString');
    expect(config.topic).toMatchObject({ kind: 'kafka', brokers: 'kafka:9092' });
    expect(config.store).toMatchObject({ bucket: 'bucket', prefix: 'belt/visionscale_bench_abc' });
  });

  it('stays on the disk of a directory that was named', () => {
    expect(scratch({ VISIONSCALE_STORE: 'file:///mnt/images' }).store).toEqual({
      kind: 'file',
      dir: '/mnt/visionscale_bench_abc',
    });
  });
});
