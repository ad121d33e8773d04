/** The ACLs of docs/security.md, set by its own commands on a broker that denies by default: each user does its work, and no more. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, afterAll, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { describeWith, type SecuredServers, securedServers } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';

const page = new URL('../../docs/security.md', import.meta.url);
const timeout = 120_000;

describeWith('secured servers', 'Kafka ACLs', (command) =>
  describeThorough('of docs/security.md', () => {
    const topic = `visionscale-acls-${randomBytes(4).toString('hex')}`;
    let servers: SecuredServers;
    let rig: Rig;

    type User = keyof SecuredServers['kafka']['users'];
    const login = (user: User): Record<string, string> => ({
      KAFKA_BROKERS: servers.kafka.scram,
      KAFKA_CONF_security_protocol: 'sasl_ssl',
      KAFKA_CONF_sasl_mechanism: 'SCRAM-SHA-512',
      KAFKA_CONF_sasl_username: user,
      KAFKA_CONF_sasl_password: servers.kafka.users[user],
      KAFKA_CONF_ssl_ca_location: join(servers.certificates, 'ca.pem'),
    });
    /** By its certificate: a user that the broker knows and no other test gives rights. */
    const operator = (): Record<string, string> => ({
      KAFKA_BROKERS: servers.kafka.mtls,
      KAFKA_CONF_security_protocol: 'ssl',
      KAFKA_CONF_ssl_ca_location: join(servers.certificates, 'ca.pem'),
      KAFKA_CONF_ssl_certificate_location: join(servers.certificates, 'client-visionscale_cert.pem'),
      KAFKA_CONF_ssl_key_location: join(servers.certificates, 'client-visionscale_cert.key'),
    });

    beforeAll(async () => {
      servers = await securedServers(command);
      rig = await Rig.open({ KAFKA_TOPIC: topic, VISIONSCALE_PIPELINE: topic });
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      const images = join(rig.dir, 'images');
      mkdirSync(images);
      for (let n = 0; n < 4; n++) writeFileSync(join(images, `red ${n}.png`), await colorImage('red', n));
      const bin = join(rig.dir, 'bin');
      mkdirSync(bin);
      // The page names a broker and a login of an administrator; here it is the listener of the broker itself.
      const words = servers.kafka.acls.map((word) => `'${word}'`).join(' ');
      writeFileSync(join(bin, 'kafka-acls.sh'), `#!/bin/sh\nshift 4\nexec ${words} "$@"\n`, { mode: 0o755 });
      const [, block] = /^## Kafka ACLs$.*?^```sh\n(.*?)^```$/ms.exec(readFileSync(page, 'utf8'))!;
      const own = block!
        .replace(/^topic=\S+/m, `topic=${topic}`)
        .replace(/^pipeline=\S+/m, `pipeline=${topic}`)
        .replaceAll('User:operator', 'User:visionscale_cert');
      await promisify(execFile)('sh', ['-ec', own], {
        env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
      });
    }, timeout);

    afterAll(async () => {
      await rig?.[Symbol.asyncDispose]();
    });

    it(
      'are enough for the commands of each',
      async () => {
        expect(await rig.json(['init'], operator())).toMatchObject({ topic: { created: true } });
        expect(await rig.json(['upload', 'images'])).toMatchObject({ uploaded: 4 });
        expect(await rig.json(['produce'], login('producer'))).toMatchObject({ produced: 4 });
        expect(await rig.json(['consume', '--until-drained'], login('consumer'))).toMatchObject({
          predicted: 4,
        });
        expect(await rig.json(['consume', '--group', '--until-drained'], login('consumer'))).toMatchObject({
          predicted: 0,
        });
        const { servers: state, unpublished } = await rig.json<{
          servers: { topic: { reachable: boolean } };
          unpublished: { results: number };
        }>(['status', '--exit-zero'], login('reader'));
        expect([state.topic.reachable, unpublished.results]).toEqual([true, 0]);
        expect(await rig.json(['audit'], login('reader'))).toMatchObject({ ok: true });
        expect((await rig.run(['doctor'], login('reader'))).stdout).toMatch(/^ok +results topics/m);
        expect(await rig.json(['topic', 'grow', '--partitions', '4', '--yes'], operator())).toBeTruthy();
        expect(await rig.json(['audit'], operator())).toMatchObject({ ok: true });
      },
      timeout,
    );

    const refused: [User, string[], Record<string, string>, string][] = [
      ['consumer', ['produce', '--again'], {}, `--operation Write --topic '${topic}'`],
      ['reader', ['produce', '--again'], {}, `--operation Write --topic '${topic}'`],
      ['producer', ['consume', '--until-drained'], {}, `--operation Read --topic '${topic}'`],
      [
        'consumer',
        ['consume', '--until-drained'],
        { VISIONSCALE_PIPELINE: 'another' },
        `--operation Describe --group 'another'`,
      ],
      [
        'producer',
        ['topic', 'grow', '--partitions', '5', '--yes'],
        {},
        `--operation Alter --topic '${topic}'`,
      ],
      ['nobody', ['produce', '--again'], {}, `this user lacks Describe on it`],
    ];
    it.each(refused)(
      'refuse to let %s run %j, with the line that allows it',
      async (user, args, env, line) => {
        const { code, stderr } = await rig.run([...args, '--json'], { ...login(user), ...env });
        const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!) as {
          error: { code: string; hint: string };
        };
        expect(error).toMatchObject({
          code: 'kafka_permission_denied',
          hint: expect.stringContaining(line) as string,
        });
        if (user !== 'nobody') expect(error.hint).toContain(`--allow-principal 'User:${user}'`);
        expect(code).toBe(1);
      },
      timeout,
    );
  }),
);
