/** Logins by AWS IAM, held to the documented form of a presigned URL, whose signature is computed here a second time. */
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { mskToken, rdsPassword } from '../../src/lib/systems/aws-login.ts';
import { resolveConnection } from '../../src/lib/systems/database/connection.ts';

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const credentials = () => Promise.resolve({ ...keys, sessionToken: 'a/session+token==' });
const now = new Date('2026-11-28T20:15:00.500Z');

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function signatureOf(url: URL, region: string, service: string): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const canonical = ['GET', '/', query, `host:${url.host}`, '', 'host', sha256('')].join('\n');
  const scope = `20261128/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', '20261128T201500Z', scope, sha256(canonical)].join('\n');
  const key = [region, service, 'aws4_request'].reduce<Buffer>(
    hmac,
    hmac(`AWS4${keys.secretAccessKey}`, '20261128'),
  );
  return hmac(key, text).toString('hex');
}

describe('a token for MSK', () => {
  it.each([
    [
      'b-1.belt.abc.c2.kafka.eu-central-1.amazonaws.com:9098,b-2.x:9098',
      undefined,
      'eu-central-1',
      'amazonaws.com',
    ],
    [
      'boot-x.c1.kafka-serverless.us-gov-west-1.amazonaws.com:9098',
      'eu-west-1',
      'us-gov-west-1',
      'amazonaws.com',
    ],
    ['b-1.belt.abc.c2.kafka.cn-north-1.amazonaws.com.cn:9098', undefined, 'cn-north-1', 'amazonaws.com.cn'],
    ['kafka.example:9098', 'eu-west-1', 'eu-west-1', 'amazonaws.com'],
  ])('for %s is a URL signed for kafka-cluster:Connect', async (brokers, given, region, domain) => {
    const { value, expiresAt } = await mskToken(brokers, { region: given, credentials }, now);
    expect(value).toMatch(/^[\w-]+$/);
    const url = new URL(Buffer.from(value, 'base64url').toString());
    expect([url.origin, url.pathname]).toEqual([`https://kafka.${region}.${domain}`, '/']);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': `AKIDEXAMPLE/20261128/${region}/kafka-cluster/aws4_request`,
      'X-Amz-Date': '20261128T201500Z',
      'X-Amz-Expires': '900',
      'X-Amz-SignedHeaders': 'host',
      'X-Amz-Security-Token': 'a/session+token==',
      'X-Amz-Signature': signatureOf(url, region, 'kafka-cluster'),
      'User-Agent': 'visionscale',
    });
    expect(expiresAt).toBe(now.getTime() + 900_000);
  });

  it('is not made without a region or credentials, and says what to set', async () => {
    await expect(mskToken('kafka.example:9098', { credentials })).rejects.toMatchObject({
      name: 'TopicError',
      code: 'aws_login_failed',
      hint: 'Set AWS_REGION.',
    });
    const none = () => Promise.reject(new Error('Could not load credentials from any providers'));
    await expect(mskToken('kafka.example:9098', { region: 'x', credentials: none })).rejects.toMatchObject({
      code: 'aws_login_failed',
      retryable: true,
      hint: expect.stringContaining('AWS_PROFILE') as string,
    });
  });
});

describe('a password for RDS', () => {
  it('is a URL without its scheme, signed for rds-db:connect as this user', async () => {
    const at = { host: 'belt.abc.eu-central-1.rds.amazonaws.com', port: 5432, user: 'belt 1' };
    const password = await rdsPassword(at, { credentials }, now);
    expect(password.startsWith(`${at.host}:5432/?`)).toBe(true);
    const url = new URL(`https://${password}`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: 'connect',
      DBUser: 'belt 1',
      'X-Amz-Credential': 'AKIDEXAMPLE/20261128/eu-central-1/rds-db/aws4_request',
      'X-Amz-Expires': '900',
      'X-Amz-Signature': signatureOf(url, 'eu-central-1', 'rds-db'),
    });
  });
});

it('are what the settings ask for', () => {
  const config = loadConfig({
    DATABASE_URL: 'postgres://belt1@db.example/my_db?sslmode=require',
    VISIONSCALE_DATABASE_LOGIN: 'aws-iam',
    KAFKA_BROKERS: 'k:9098',
    VISIONSCALE_KAFKA_LOGIN: 'aws-iam',
    AWS_REGION: 'eu-west-1',
    HOME: '/nowhere',
  });
  expect(config.topic).toMatchObject({ awsIam: { region: 'eu-west-1' } });
  if (config.database.kind !== 'server') throw new Error('a server');
  expect(resolveConnection(config.database.connection)).toMatchObject({
    host: 'db.example',
    user: 'belt1',
    awsIam: { region: 'eu-west-1' },
  });
});
