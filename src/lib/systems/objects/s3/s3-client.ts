/** How the S3 client is set up: addressing, timeouts, retries, checksums. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { errorMessage, UsageError } from '../../../base/errors.ts';
import { readPem } from '../../../base/tls.ts';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface S3Connection {
  /** Any server that speaks S3, `http(s)://host:port`; AWS by default. */
  endpoint?: string;
  /** Default: the SDK's (AWS_REGION, the profile); us-east-1 with an endpoint. */
  region?: string;
  /** Whether the bucket stands in the path instead of the host name. Default: with an endpoint. */
  forcePathStyle?: boolean;
  /** Longest silence of a connection, before the answer or within it, in milliseconds; default 30 s. */
  requestTimeoutMs?: number;
  /** How often one request is tried by the client itself; default 3. */
  attempts?: number;
  /** Default: the SDK's chain (environment, profile, web identity, container, instance). */
  credentials?: S3Credentials;
  /** Files of authorities in PEM, by the setting that names them; default: those that Node trusts. */
  caFiles?: Readonly<Record<string, string>>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_ATTEMPTS = 3;

/** Throws a UsageError for an endpoint or a file of certificates that cannot be used. */
export function s3Client(connection: S3Connection): S3Client {
  const { endpoint, requestTimeoutMs = DEFAULT_TIMEOUT_MS, attempts = DEFAULT_ATTEMPTS } = connection;
  const region = connection.region ?? (endpoint === undefined ? undefined : 'us-east-1');
  const config: S3ClientConfig = {
    forcePathStyle: connection.forcePathStyle ?? endpoint !== undefined,
    maxAttempts: attempts,
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_TIMEOUT_MS, requestTimeoutMs),
      // Not the SDK's requestTimeout: that runs while a body is sent, and would fail large puts on slow lines.
      socketTimeout: requestTimeoutMs,
      ...(connection.caFiles !== undefined && { httpsAgent: { ca: trusted(connection.caFiles) } }),
    },
    // With it the SDK opens a connection of its own for every body above 2 MB.
    expectContinueHeader: false,
    // Bodies come bare, so that destroying one frees its socket; Node checks their length.
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(region !== undefined && { region }),
    ...(connection.credentials && { credentials: connection.credentials }),
  };
  if (endpoint === undefined) return new S3Client({ ...config, followRegionRedirects: true });
  // Checksum trailers are newer than many of the servers that speak S3.
  return new S3Client({
    ...config,
    endpoint: checkEndpoint(endpoint),
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}

function trusted(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).map(([setting, path]) => {
    try {
      return readPem(path, 'certificate');
    } catch (error) {
      throw new UsageError(`${setting} names ${path}, which ${errorMessage(error)}`);
    }
  });
}

/** The message does not repeat the text: it may hold a password. */
function checkEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:\/\//i.test(endpoint)) {
    throw new UsageError('the S3 endpoint must be a URL such as http://127.0.0.1:9000');
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      'the S3 endpoint must not contain a user or password',
      'Credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    );
  }
  return endpoint;
}

/**
 * Listings are asked for with `encoding-type=url`, since XML cannot hold every character a key may. A server that does
 * not do it does not say so in its answer, and its keys are plain.
 */
export function decodeListedKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key; // says it is encoded, and is not
  }
}
