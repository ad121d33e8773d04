/** What S3 and the way to it say, as ObjectErrors. Nothing of a request's headers gets into them. */
import { isRetryable, ObjectError, VisionscaleError } from '../../../base/errors.ts';
import { tlsFault, type TlsFault } from '../../../base/tls.ts';
import { archived, badKey, notFound, quoteKey, refusedObject } from '../store.ts';

export interface S3Place {
  bucket: string;
  url: string;
  endpoint: string | undefined;
}

/** An object or a bucket that is not there. */
export function isMissing(error: unknown): error is Error {
  return error instanceof Error && statusOf(error) === 404 && !denials.has(error.name);
}

export function bucketMissing(place: S3Place, cause?: unknown): ObjectError {
  return new ObjectError(`the bucket ${place.bucket} does not exist${at(place)}`, {
    code: 'bucket_missing',
    hint: 'Run `visionscale init` to make it, or check VISIONSCALE_STORE, S3_ENDPOINT and AWS_REGION.',
    cause,
  });
}

export function bucketNameTaken(place: S3Place, error: unknown): ObjectError {
  return new ObjectError(`the bucket name ${place.bucket} belongs to another account${at(place)}`, {
    code: 'access_denied',
    hint: 'Bucket names are shared by all accounts: choose another in VISIONSCALE_STORE, or get access to this one.',
    cause: withoutRequest(error),
  });
}

/**
 * What GET of one object was answered. `answers`: whether the bucket itself does, to the same credentials; it throws
 * where the bucket cannot be asked.
 */
export async function objectError(
  error: unknown,
  place: S3Place,
  key: string,
  answers: () => Promise<boolean>,
): Promise<unknown> {
  const known = s3Error(error, place, key);
  if (!(known instanceof ObjectError) || known.ofObject || !(error instanceof Error)) return known;
  const said = describe(error);
  const cause = withoutRequest(error);
  const verdict = verdictOf(statusOf(error), error.name, error.message);
  switch (verdict) {
    case 'not found':
      return notFound(key, place.url);
    case 'archived':
      return archived(key, place.url, said, cause);
    case 'refused':
      return refusedObject(key, place.url, said, cause);
    case 'missing':
    case 'unclear': {
      const answered = await answers().catch((thrown: unknown) => thrown);
      if (answered === true)
        return verdict === 'missing' ? notFound(key, place.url) : refusedObject(key, place.url, said, cause);
      if (answered === false) return verdict === 'missing' ? bucketMissing(place, cause) : known;
      // A server that is away now says more than its last words; a listing that is denied says nothing of this.
      return isRetryable(answered) ? answered : known;
    }
    case 'wait':
      return known;
  }
}

/** Errors that are ours already stay as they are. */
export function s3Error(error: unknown, place: S3Place, key?: string): unknown {
  if (error instanceof VisionscaleError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  const what = `${place.url}${key === undefined ? '' : `, object ${quoteKey(key)}`}${at(place)}`;
  const said = describe(error);
  const cause = withoutRequest(error);

  if (error.name === 'NoSuchBucket') return bucketMissing(place, cause);
  if (
    error.name === 'CredentialsProviderError' ||
    error.message.includes('Resolved credential object is not valid')
  ) {
    return new ObjectError(`no S3 credentials were found for ${what}`, {
      code: 'no_credentials',
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached.',
      cause,
    });
  }
  if (error.message === 'Region is missing') {
    return new ObjectError(`no region is set for ${what}`, {
      code: 'refused',
      hint: wrongRegion,
      cause,
    });
  }
  if (status === 403 || status === 401 || denials.has(error.name)) {
    return new ObjectError(`access denied to ${what}: ${said}`, {
      code: 'access_denied',
      hint: denials.get(error.name) ?? denied,
      cause,
    });
  }
  if (key !== undefined && refusedKeys.has(error.name))
    return badKey(key, `${place.url} answers: ${said}`, cause);
  if (
    status !== undefined &&
    status >= 300 &&
    status < 500 &&
    status !== 408 &&
    status !== 429 &&
    !passing(error)
  ) {
    const elsewhere = status < 400 || error.name === 'AuthorizationHeaderMalformed';
    return new ObjectError(`${what} refused the request: ${said}`, {
      code: 'refused',
      hint: elsewhere ? wrongRegion : 'Check VISIONSCALE_STORE and S3_ENDPOINT.',
      cause,
    });
  }
  const fault = status === undefined ? tlsFault(error) : undefined;
  if (fault !== undefined) {
    // Retryable: what was fine yesterday is fine again when the server has its new certificate.
    return new ObjectError(`cannot reach ${what}: ${fault.said}`, {
      code: 'store_tls',
      retryable: true,
      hint: tlsHints[fault.kind],
      cause,
    });
  }
  return new ObjectError(`cannot reach ${what}: ${said}`, {
    code: 'unavailable',
    retryable: true,
    hint: unreachable(place.endpoint, error),
    cause,
  });
}

function unreachable(endpoint: string | undefined, error: Error): string {
  if (endpoint === undefined) return 'Check the network.';
  const mayWantTls = /^http:/i.test(endpoint) && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  return mayWantTls
    ? 'It hangs up: if it speaks TLS there, S3_ENDPOINT must begin with https://.'
    : 'Check that the server runs and that S3_ENDPOINT names it.';
}

const tlsHints: Record<TlsFault['kind'], string> = {
  authority: 'Set AWS_CA_BUNDLE to a file with the certificate of its authority.',
  name: 'Use a name that the certificate has in S3_ENDPOINT, or renew it with this one.',
  date: 'Renew the server’s certificate, and check this machine’s clock.',
  client: 'visionscale gives S3 servers no client certificate: let it in without one.',
  plain: 'S3_ENDPOINT must begin with http://, or name the port for TLS.',
  version: 'TLS 1.2 or later is needed: check the server’s settings.',
};

const denied =
  'Check the credentials and their permissions: s3:GetObject, s3:PutObject and s3:ListBucket are needed. ' +
  'Without s3:ListBucket, S3 answers "access denied" for objects that are missing.';
const wrongRegion = "Set AWS_REGION to the bucket's region.";
const wrongKeys = 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';

/** By error name; answers that are not 403 on every server among them. */
const denials = new Map([
  ['AccessDenied', denied],
  ['AllAccessDisabled', denied],
  ['InvalidAccessKeyId', wrongKeys],
  ['SignatureDoesNotMatch', wrongKeys],
  ['XAdminUserNotFound', wrongKeys],
  ['ExpiredToken', 'The session has expired: sign in again.'],
  ['InvalidToken', 'The session token is not valid: sign in again, or unset AWS_SESSION_TOKEN.'],
  ['RequestTimeTooSkewed', "This machine's clock differs too much from the server's: set it."],
]);

/** Keys that are good to us and too much for the server. */
const refusedKeys = new Set([
  'KeyTooLongError',
  'InvalidURI',
  'ObjectParentIsFile',
  'ExistingObjectIsDirectory',
  'XMinioInvalidObjectName',
  'XMinioParentIsObject',
]);

/** Answers below 500 that pass by themselves. */
function passing(error: Error): boolean {
  return (
    /^(SlowDown|Throttl|RequestTimeout|TooManyRequests|RequestLimit|OperationAborted)/.test(error.name) ||
    /KMS.*(Throttl|Limit|Internal|Unavailable|Timeout)/i.test(error.name)
  );
}

/** Undefined where no server has answered. */
export function statusOf(error: Error): number | undefined {
  const { $metadata: metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return metadata?.httpStatusCode;
}

/** An SDK error's message may be empty, or the word UnknownError where the answer had no body, or of a page's syntax. */
function describe(error: Error): string {
  const status = statusOf(error);
  if (status !== undefined && error.message.includes('parse error')) return `HTTP status ${status}`;
  if (error instanceof AggregateError) {
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ');
  }
  if (error.message !== '' && error.message !== 'UnknownError') return error.message;
  return status === undefined ? error.name : `HTTP status ${status}`;
}

/** SDK errors carry the signed request: headers, session token. Only the words are kept. */
function withoutRequest(error: unknown): Error | undefined {
  return error instanceof Error ? new Error(`${error.name}: ${describe(error)}`) : undefined;
}

function at(place: S3Place): string {
  return place.endpoint === undefined ? '' : ` at ${place.endpoint}`;
}

// What an answer to GET of one object speaks of: that object, or settings, rights and the server.

/**
 * `not found`, `archived`, `refused`: final for this object. `missing`, `unclear`: they speak of it only where the
 * bucket itself answers; a wrong bucket, or a proxy with one page for everything, says the same. `wait`: credentials,
 * policies, clocks, load, and whatever else is mended without touching the object.
 */
type AnswerVerdict = 'not found' | 'archived' | 'refused' | 'missing' | 'unclear' | 'wait';

interface Row {
  /** By default any: servers differ in statuses more than in codes. */
  status?: (status: number) => boolean;
  /** By default any, and none. */
  code?: RegExp;
  /** What the message must speak of. */
  message?: RegExp;
  verdict: AnswerVerdict;
}

const is =
  (...statuses: number[]) =>
  (status: number) =>
    statuses.includes(status);
const fault = (status: number) => status >= 400 && status < 500;

/** The first row that fits decides. */
const table: readonly Row[] = [
  { code: /^NoSuch(Key|Version)$/, verdict: 'not found' },
  // S3, Ceph, MinIO, StorageGRID, OSS, COS; then gateways to Azure and Oracle.
  { code: /^(InvalidObjectState|ObjectNotInActiveTierError|RestoreAlreadyInProgress)$/, verdict: 'archived' },
  { code: /^(Blob(Archived|BeingRehydrated)|NotRestored)$/, verdict: 'archived' },
  // Of an encryption key: rights to it are a setting and load passes; disabled, deleted, elsewhere does not.
  { code: /KMS.*(Denied|Authorized|OptIn|UnrecognizedClient)/i, verdict: 'wait' },
  { code: /KMS.*(Throttl|Limit|Internal|Unavailable|Timeout)/i, verdict: 'wait' },
  { code: /^(XMinio|Cloud|S3)?KMS/i, status: fault, verdict: 'refused' },
  // Encrypted with a key that only its sender has: S3, MinIO, SeaweedFS, Garage, R2, StorageGRID; Ceph; GCS.
  {
    code: /^Invalid(Request|Argument)$/,
    message: /encrypt|\bSSE\b|actual key/i,
    status: fault,
    verdict: 'refused',
  },
  { code: /Customer(Encryption)?Key|^InvalidEncryption/i, status: fault, verdict: 'refused' },
  { code: /^XMinioObjectTampered$/, verdict: 'refused' },
  { status: is(451), verdict: 'refused' },
  // Settings, rights, clocks, load, by name.
  {
    code: /^(NoSuchBucket|NoSuchAccessPoint|InvalidBucketName|AuthorizationHeaderMalformed)/,
    verdict: 'wait',
  },
  {
    code: /Denied|Disabled|Suspended|Unauthorized|AccessKeyId|Signature|Skewed|XAdminUserNotFound/,
    verdict: 'wait',
  },
  {
    code: /^((Expired|Invalid)Token|(Expired|Invalid)Security|ExpiredRequest|RequestExpired)/,
    verdict: 'wait',
  },
  {
    code: /^(SlowDown|Throttl|RequestTimeout|TooManyRequests|RequestLimit|OperationAborted)/,
    verdict: 'wait',
  },
  // Without a code that tells more: s3ninja, proxies and gateways answer with a page, or with nothing.
  { status: is(404, 410), verdict: 'missing' },
  { status: is(401, 403, 407, 408, 409, 421, 425, 429), verdict: 'wait' },
  { status: fault, verdict: 'unclear' },
];

/** `code` and `message` as the server gave them; `status` undefined where none answered. */
function verdictOf(status: number | undefined, code: string, message: string): AnswerVerdict {
  if (status === undefined) return 'wait';
  const row = table.find(
    (each) =>
      (each.status?.(status) ?? true) &&
      (each.code?.test(code) ?? true) &&
      (each.message?.test(message) ?? true),
  );
  return row?.verdict ?? 'wait';
}
