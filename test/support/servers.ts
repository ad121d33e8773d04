/** Which real servers and test data this run has; a suite without its server is skipped by name, and fails in CI. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const sources = {
  Kafka: ['VISIONSCALE_TEST_KAFKA', 'broker addresses, host:port[,host:port]'],
  PostgreSQL: ['VISIONSCALE_TEST_POSTGRES', 'the URL of a server where this user may create databases'],
  PgBouncer: [
    'VISIONSCALE_TEST_PGBOUNCER',
    'the URL of a PgBouncer with pool_mode = transaction before VISIONSCALE_TEST_POSTGRES, where every role may log in',
  ],
  'PgBouncer by session': [
    'VISIONSCALE_TEST_PGBOUNCER_SESSION',
    'the URL of a PgBouncer with pool_mode = session before VISIONSCALE_TEST_POSTGRES',
  ],
  S3: ['VISIONSCALE_TEST_S3', 'the endpoint of an S3-compatible server; credentials from AWS_*'],
  'S3 events': [
    'VISIONSCALE_TEST_S3_EVENTS',
    'a command that, given a Kafka topic, starts an S3 server which tells it of every object, and prints the endpoint; credentials from AWS_*',
  ],
  'secured servers': [
    'VISIONSCALE_TEST_SECURED',
    'a command that starts servers which are reached by TLS only, and prints where they are as JSON (.ci/servers secured)',
  ],
  browser: ['VISIONSCALE_TEST_BROWSER', 'the path of a Chromium'],
  'test data': ['VISIONSCALE_TEST_DATA', 'a directory with models/ and images/'],
} as const;

export type Server = keyof typeof sources;

export function address(server: Server): string | undefined {
  return process.env[sources[server][0]] || undefined;
}

/** A suite that needs a server or the test data: `run` gets its address. */
export function describeWith(server: Server, title: string, run: (address: string) => void): void {
  const found = address(server);
  if (found !== undefined) {
    describe(title, () => run(found));
    return;
  }
  const [variable, meaning] = sources[server];
  if (process.env.CI) {
    describe(title, () => {
      it(`needs ${server}`, () => {
        expect.fail(`${variable} is not set (${meaning}); in CI a suite without its server is a failure`);
      });
    });
    return;
  }
  describe.skip(`${title} [skipped: no ${server}; set ${variable} to ${meaning}]`, () => {
    it('is skipped', () => undefined);
  });
}

export interface SecuredServers {
  /** A directory with ca, wrong-ca, server, server-wrong-name, server-expired, client-<user>, client-wrong-ca and -expired: .pem and .key. */
  certificates: string;
  kafka: {
    /** Listeners: SASL_SSL with SCRAM-SHA-512; SSL with a client's certificate; SASL_SSL with an unsecured OAUTHBEARER token. */
    scram: string;
    mtls: string;
    oauth: string;
    /** Passwords. Nobody but `admin` has any right before ACLs give it. */
    users: Record<'admin' | 'producer' | 'consumer' | 'reader' | 'nobody', string>;
    /** The words that run kafka-acls. */
    acls: [string, ...string[]];
  };
  /** URL of a superuser. The role visionscale_cert logs in with its client certificate. */
  postgres: string;
  s3: { endpoint: string; accessKeyId: string; secretAccessKey: string };
}

/** Starts them where they do not run yet. */
export async function securedServers(command: string): Promise<SecuredServers> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  return JSON.parse(stdout) as SecuredServers;
}

/** Paths of the real weights and photographs below VISIONSCALE_TEST_DATA. */
export function testData(root: string) {
  const data = {
    model: join(root, 'models/squeezenet1_1-imagenet/squeezenet1_1.onnx'),
    photographs: join(root, 'images/imagenet-sample'),
    golden: join(root, 'images/imagenet-sample/golden-top5.json'),
    grocery: join(root, 'images/grocery'),
  };
  for (const path of Object.values(data)) {
    if (!existsSync(path)) throw new Error(`VISIONSCALE_TEST_DATA is set but ${path} is missing`);
  }
  return data;
}
