import { randomBytes } from 'node:crypto';
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
