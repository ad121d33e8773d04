/** What an answer to GET of one object speaks of: that object, or settings, rights and the server. */

/**
 * `not found`, `archived`, `refused`: final for this object. `missing`, `unclear`: they speak of it only where the
 * bucket itself answers; a wrong bucket, or a proxy with one page for everything, says the same. `wait`: credentials,
 * policies, clocks, load, and whatever else is mended without touching the object.
 */
export type AnswerVerdict = 'not found' | 'archived' | 'refused' | 'missing' | 'unclear' | 'wait';

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
export function verdictOf(status: number | undefined, code: string, message: string): AnswerVerdict {
  if (status === undefined) return 'wait';
  const row = table.find(
    (each) =>
      (each.status?.(status) ?? true) &&
      (each.code?.test(code) ?? true) &&
      (each.message?.test(message) ?? true),
  );
  return row?.verdict ?? 'wait';
}
