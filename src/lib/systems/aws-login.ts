/**
 * Logins by AWS IAM: what MSK takes for a token and RDS for a password is a URL, signed with the credentials of this host,
 * that is good for a quarter of an hour.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { DatabaseError, errorMessage, TopicError } from '../base/errors.ts';

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export type CredentialsSource = () => Promise<AwsCredentials>;

/** How long a login may begin with it, seconds: AWS's own signers use the same. */
const validSeconds = 900;

let usual: CredentialsSource | undefined;

/** Where the SDK looks: environment, profile, web identity, container, instance. It renews them before they end. */
async function usualCredentials(): Promise<AwsCredentials> {
  if (usual === undefined) {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
    usual = defaultProvider();
  }
  return usual();
}

interface Signed {
  /** Host, with a port where the signature is for one. */
  host: string;
  service: 'kafka-cluster' | 'rds-db';
  region: string;
  query: Record<string, string>;
}

type Fault = typeof DatabaseError | typeof TopicError;

async function presigned(
  Fault: Fault,
  { host, service, region, query }: Signed,
  source: CredentialsSource,
  now: Date,
): Promise<string> {
  let credentials: AwsCredentials;
  try {
    credentials = await source();
  } catch (error) {
    throw new Fault(`no AWS credentials to log in with: ${errorMessage(error)}`, {
      code: 'aws_login_failed',
      retryable: true, // the instance's own source may be away
      hint: 'Give this host a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
      cause: error,
    });
  }
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, applyChecksum: false });
  const request = { method: 'GET', protocol: 'https:', hostname: host, path: '/', headers: { host }, query };
  const signed = await signer.presign(request, { expiresIn: validSeconds, signingDate: now });
  const pairs = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  return `https://${host}/?${pairs.join('&')}`;
}

/** As the signer wants it. */
class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', secret as Parameters<typeof createHmac>[1]);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error('used once');
  }
}

/** Names of MSK's brokers and of RDS's servers say where they are; a name of one's own does not. */
function regionOf(Fault: Fault, host: string, given: string | undefined): string {
  const named = /\.([a-z]{2}(?:-[a-z]+)+-\d+)(?:\.rds)?\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1];
  const region = named ?? given;
  if (region !== undefined) return region;
  throw new Fault(`the region of ${host} is not known`, {
    code: 'aws_login_failed',
    hint: 'Set AWS_REGION.',
  });
}

export interface AwsLogin {
  /** Where the name of the server does not say it. */
  region?: string | undefined;
  credentials?: CredentialsSource;
}

export interface Token {
  value: string;
  /** ms since the epoch. */
  expiresAt: number;
}

/** A token for OAUTHBEARER at these brokers, as AWS's MSK IAM signers make it. */
export async function mskToken(
  brokers: string,
  { region, credentials = usualCredentials }: AwsLogin,
  now = new Date(),
): Promise<Token> {
  const [first = ''] = brokers.split(',');
  const found = regionOf(TopicError, first.replace(/:\d+$/, ''), region);
  const host = `kafka.${found}.amazonaws.com${found.startsWith('cn-') ? '.cn' : ''}`;
  const query = { Action: 'kafka-cluster:Connect' };
  const url = await presigned(
    TopicError,
    { host, service: 'kafka-cluster', region: found, query },
    credentials,
    now,
  );
  return {
    value: Buffer.from(`${url}&User-Agent=visionscale`).toString('base64url'),
    expiresAt: now.getTime() + validSeconds * 1000,
  };
}

/** A password for a user with `rds_iam`. */
export async function rdsPassword(
  { host, port, user }: { host: string; port: number; user: string },
  { region, credentials = usualCredentials }: AwsLogin,
  now = new Date(),
): Promise<string> {
  const query = { Action: 'connect', DBUser: user };
  const found = regionOf(DatabaseError, host, region);
  const url = await presigned(
    DatabaseError,
    { host: `${host}:${port}`, service: 'rds-db', region: found, query },
    credentials,
    now,
  );
  return url.slice('https://'.length);
}
