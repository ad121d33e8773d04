import { randomBytes, randomInt } from 'node:crypto';
import { describeWith } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';
import { killedSuite } from './killed.ts';

const seed = Number(process.env['VISIONSCALE_TEST_SEED'] ?? randomInt(2 ** 31));

describeThorough('killed on the embedded stack', () => {
  killedSuite('killed, embedded', seed, () => ({}));
});

describeWith('Kafka', 'killed, on real servers', (brokers) => {
  describeWith('PostgreSQL', 'all three', (postgres) => {
    describeWith('S3', 'Kafka, PostgreSQL and S3', (endpoint) => {
      const id = randomBytes(4).toString('hex');
      killedSuite('killed', seed, (name) => ({
        KAFKA_BROKERS: brokers,
        KAFKA_TOPIC: `visionscale.${name}.${id}`,
        DATABASE_URL: Object.assign(new URL(postgres), { pathname: `/visionscale_${name}_${id}` }).href,
        VISIONSCALE_STORE: `s3://visionscale-${name}-${id}/images`,
        S3_ENDPOINT: endpoint,
      }));
    });
  });
});
