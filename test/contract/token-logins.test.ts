/** Logins whose tokens and passwords are made anew: every kind of Kafka client, and every connection to PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { databaseSettings } from '../../src/lib/config/postgres.ts';
import { eitherWay } from '../../src/lib/systems/database/connection.ts';
import { openKafkaTopic } from '../../src/lib/systems/topic/kafka/topic.ts';
import { describeWith, securedServers } from '../support/servers.ts';

/** As the broker's unsecured validator takes it. */
function unsecuredToken(user: string, seconds: number) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const value = `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: now + seconds })}.`;
  return { value, expiresAt: (now + seconds) * 1000 };
}

describeWith('secured servers', 'logins with tokens', (command) => {
  it('to Kafka: admin client, producer and consumer log in, and are given the next token before one ends', async () => {
    const { kafka, certificates } = await securedServers(command);
    let given = 0;
    let enough: () => void = () => undefined;
    const renewed = new Promise<void>((resolve) => (enough = resolve));
    await using topic = await openKafkaTopic({
      brokers: kafka.oauth,
      name: `visionscale-token-${randomBytes(4).toString('hex')}`,
      properties: { 'ssl.ca.location': join(certificates, 'ca.pem') },
      token: () => {
        // Query client, admin client and producer ask once each; whoever asks then has a token that ends.
        if (++given >= 6) enough();
        return Promise.resolve(unsecuredToken('admin', 3));
      },
    });
    expect(await topic.create(1)).toEqual({ created: true, partitions: 1 });
    await using producer = await topic.producer();
    const record = { key: null, value: Buffer.from('one'), headers: {} };
    await producer.send([record]);
    await renewed;
    const [placement] = await producer.send([record]);
    expect(placement).toEqual({ partition: 0, offset: 1 });
    await using reader = await topic.reader({ partition: 0, from: 0, group: 'tokens' });
    const values: string[] = [];
    for await (const { value } of reader.records(AbortSignal.timeout(20_000))) {
      values.push(String(value));
      if (values.length === 2) break;
    }
    expect(values).toEqual(['one', 'one']);
  }, 60_000);

  it('to Kafka: a token that is refused is a failed login', async () => {
    const { kafka, certificates } = await securedServers(command);
    const opening = openKafkaTopic({
      brokers: kafka.oauth,
      name: 'visionscale-token',
      properties: { 'ssl.ca.location': join(certificates, 'ca.pem') },
      token: () => Promise.resolve({ value: 'a token of nobody', expiresAt: Date.now() + 60_000 }),
    });
    await expect(opening).rejects.toMatchObject({ code: 'kafka_login_failed' });
  }, 60_000);

  it('to PostgreSQL: each connection brings a password of its own, whatever stands in the URL', async () => {
    const { postgres, certificates } = await securedServers(command);
    const settings = databaseSettings(
      {
        DATABASE_URL: postgres,
        PGSSLMODE: 'verify-full',
        PGSSLROOTCERT: join(certificates, 'ca.pem'),
        VISIONSCALE_DATABASE_LOGIN: 'aws-iam',
        AWS_REGION: 'eu-west-1',
      },
      '/none',
    );
    if (settings.kind !== 'server') throw new Error('a server');
    const { connection } = settings;
    let asked = 0;
    connection.awsIam!.credentials = () => {
      asked++;
      return Promise.resolve({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' });
    };
    // The server does not know these, and refuses each: with the URL's own password it would let us in.
    const connect = () =>
      eitherWay(connection, async (oneWay) => {
        const client = new pg.Client(oneWay);
        try {
          await client.connect();
        } finally {
          await client.end().catch(() => undefined);
        }
      });
    await expect(connect()).rejects.toMatchObject({ code: '28P01' });
    await expect(connect()).rejects.toMatchObject({ code: '28P01' });
    expect(asked).toBe(2);
  }, 60_000);
});
