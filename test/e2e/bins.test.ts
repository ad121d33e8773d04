import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { partsModelDirectory } from '../../src/lib/models/store/entry.ts';
import { Rig } from '../support/binary.ts';
import { describeWith } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';
import { binsSuite } from './bins.ts';

describeThorough('bins on the embedded stack', () => {
  binsSuite('bins, embedded', () => ({}));
});

describeThorough('bins where nobody has chosen a model', () => {
  it('are checked against the one that comes with visionscale, while consumers run that', async () => {
    await using rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
    await rig.json(['init']);
    writeFileSync(join(rig.dir, 'bins.yaml'), 'bins:\n  left: ["red bolt", "red blot"]\n');
    const use = () => rig.run(['bins', 'use', 'bins.yaml']);
    expect((await use()).stderr).toContain('there is no model to check the bins against');
    rig.start(['consume'], { VISIONSCALE_MODEL: partsModelDirectory });
    await expect.poll(async () => (await use()).stderr).toContain('did you mean "red bolt"?');
  });
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
