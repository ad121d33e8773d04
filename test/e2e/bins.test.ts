import { randomBytes } from 'node:crypto';
import { describeWith } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';
import { binsSuite } from './bins.ts';

describeThorough('bins on the embedded stack', () => {
  binsSuite('bins, embedded', () => ({}));
});

describeWith('Kafka', 'bins on real servers', (brokers) => {
  describeWith('PostgreSQL', 'all three', (postgres) => {
    describeWith('S3', 'Kafka, PostgreSQL and S3', (endpoint) => {
      const id = randomBytes(4).toString('hex');
      binsSuite('bins', () => ({
        KAFKA_BROKERS: brokers,
        KAFKA_TOPIC: `visionscale.bins.${id}`,
        DATABASE_URL: Object.assign(new URL(postgres), { pathname: `/visionscale_bins_${id}` }).href,
        VISIONSCALE_STORE: `s3://visionscale-bins-${id}/images`,
        S3_ENDPOINT: endpoint,
      }));
    });
  });
});
