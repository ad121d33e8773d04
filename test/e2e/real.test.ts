import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { describeWith } from '../support/servers.ts';
import { pipelineSuite } from './pipeline.ts';

const id = randomBytes(4).toString('hex');

/** Databases, topics and buckets that nothing else uses; `init` makes them. */
function databaseUrl(server: string): string {
  const url = new URL(server);
  url.pathname = `/visionscale_e2e_${id}`;
  return url.href;
}

describeWith('Kafka', 'on real servers', (brokers) => {
  describeWith('PostgreSQL', 'all three', (postgres) => {
    describeWith('S3', 'Kafka, PostgreSQL and S3', (endpoint) => {
      pipelineSuite('the pipeline', () => ({
        KAFKA_BROKERS: brokers,
        KAFKA_TOPIC: `visionscale.e2e.${id}`,
        DATABASE_URL: databaseUrl(postgres),
        VISIONSCALE_STORE: `s3://visionscale-e2e-${id}/images`,
        S3_ENDPOINT: endpoint,
      }));
    });
  });
});

describeWith('Kafka', 'Kafka, the rest embedded', (brokers) => {
  pipelineSuite('the pipeline', () => ({
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC: `visionscale.e2e.mixed.${id}`,
  }));
});

describeWith('PostgreSQL', 'a database that is not there', (postgres) => {
  it('is made by nothing but init', async () => {
    const name = `visionscale_missing_${id}`;
    const url = new URL(postgres);
    url.pathname = `/${name}`;
    await using rig = await Rig.open({ DATABASE_URL: url.href });
    mkdirSync(join(rig.dir, 'images'));
    for (const command of ['upload images', 'produce', 'consume --partition 0', 'status', 'results']) {
      const ended = await rig.run(command.split(' '));
      expect([command, ended.code]).toEqual([command, 1]);
      expect(ended.stderr).toMatch(/does not exist\n {2}Run: visionscale init/);
    }
    const client = new pg.Client({ connectionString: postgres });
    await client.connect();
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    await client.end();
    expect(rowCount).toBe(0);
  });
});
