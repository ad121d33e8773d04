import { randomBytes } from 'node:crypto';
import { describeWith } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';
import { auditSuite } from './audit.ts';

describeThorough('audit on the embedded stack', () => {
  auditSuite('audit, embedded', () => ({}));
});

describeWith('Kafka', 'audit on real servers', (brokers) => {
  describeWith('PostgreSQL', 'all three', (postgres) => {
    describeWith('S3', 'Kafka, PostgreSQL and S3', (endpoint) => {
      const id = randomBytes(4).toString('hex');
      auditSuite('audit', () => ({
        KAFKA_BROKERS: brokers,
        KAFKA_TOPIC: `visionscale.audit.${id}`,
        DATABASE_URL: Object.assign(new URL(postgres), { pathname: `/visionscale_audit_${id}` }).href,
        VISIONSCALE_STORE: `s3://visionscale-audit-${id}/images`,
        S3_ENDPOINT: endpoint,
      }));
    });
  });
});
