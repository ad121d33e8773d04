/** What answers to GET of one object are taken for, as the servers in use give them. */
import { describe, expect, it } from 'vitest';
import { ObjectError } from '../../../src/lib/base/errors.ts';
import { S3Stub, s3Fault, type StubAnswer } from '../../support/s3-stub.ts';

const page = (status: number, body: string): StubAnswer => ({ status, type: 'text/html', body });
const wellFormed = '<html><head><title>Error - 404</title></head><body><h1>Not Found</h1><hr/></body></html>';
const loose = '<!doctype html><html><p>Not <br>Found<hr></body>';

async function judged(answer: StubAnswer, bucket?: StubAnswer): Promise<ObjectError> {
  await using stub = await S3Stub.open();
  stub.object = () => answer;
  if (bucket) stub.bucket = () => bucket;
  await using store = stub.store();
  const error: unknown = await store.get('a b/c.jpg', { maxBytes: 10 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ObjectError);
  return error as ObjectError;
}

const encrypted =
  'The object was stored using a form of Server Side Encryption. The correct parameters must be provided.';

describe('an answer about one object', () => {
  it.each([
    ['S3, MinIO, Ceph, R2, Garage, SeaweedFS', s3Fault(404, 'NoSuchKey'), 'not_found'],
    ['a code of its own', s3Fault(404, 'NotFound'), 'not_found'],
    ['nothing but the status', { status: 404 }, 'not_found'],
    ['s3ninja: a page', page(404, wellFormed), 'not_found'],
    ['a page that is no XML', page(404, loose), 'not_found'],
    ['a line of text', { status: 404, body: '404 page not found\n' }, 'not_found'],
    ['JSON', { status: 404, type: 'application/json', body: '{"error":"no"}' }, 'not_found'],
    ['gone', { status: 410 }, 'not_found'],
    ['S3, Ceph, MinIO, StorageGRID, OSS', s3Fault(403, 'InvalidObjectState'), 'archived'],
    ['with another status', s3Fault(409, 'InvalidObjectState'), 'archived'],
    ['on its way back', s3Fault(409, 'RestoreAlreadyInProgress'), 'archived'],
    ['a gateway to Azure', s3Fault(409, 'BlobArchived'), 'archived'],
    ['a disabled key', s3Fault(400, 'KMS.DisabledException'), 'refused'],
    ['a deleted key', s3Fault(400, 'KMS.NotFoundException'), 'refused'],
    ['a deleted key, elsewhere', s3Fault(404, 'KMS.NotFoundException'), 'refused'],
    ['a key that waits for its end', s3Fault(400, 'KMS.KMSInvalidStateException'), 'refused'],
    ['a key of another kind', s3Fault(400, 'KMS.InvalidKeyUsageException'), 'refused'],
    ['SeaweedFS', s3Fault(400, 'KMSKeyNotFoundException'), 'refused'],
    ['the sender’s key: S3, MinIO', s3Fault(400, 'InvalidRequest', encrypted), 'refused'],
    [
      'the sender’s key: Ceph',
      s3Fault(400, 'InvalidArgument', 'Requests with SSE must provide an algorithm.'),
      'refused',
    ],
    ['a key server: Ceph', s3Fault(400, 'InvalidArgument', 'Failed to retrieve the actual key'), 'refused'],
    ['GCS', s3Fault(400, 'ResourceIsEncryptedWithCustomerEncryptionKey'), 'refused'],
    ['withheld by law', { status: 451 }, 'refused'],
    ['a code that nobody foresaw', s3Fault(400, 'ObjectIsHaunted'), 'refused'],
    ['a status that nobody foresaw', { status: 422 }, 'refused'],
  ])('%s', async (_, answer, code) => {
    const error = await judged(answer);
    expect(error).toMatchObject({ code, retryable: false, ofObject: true });
    expect(error.message).toContain('a b/c.jpg');
    expect(error.message).not.toMatch(/parse error|UnknownError|Deserialization/);
  });

  it.each([
    ['access denied', s3Fault(403, 'AccessDenied'), 'access_denied'],
    ['a right to the key is missing', s3Fault(403, 'KMS.AccessDeniedException'), 'access_denied'],
    ['a page of a proxy', page(403, loose), 'access_denied'],
    ['a disabled account', s3Fault(403, 'AllAccessDisabled'), 'access_denied'],
    ['unknown to the server', s3Fault(403, 'InvalidAccessKeyId'), 'access_denied'],
    ['a wrong secret', s3Fault(403, 'SignatureDoesNotMatch'), 'access_denied'],
    ['a clock', s3Fault(403, 'RequestTimeTooSkewed'), 'access_denied'],
    ['an old session', s3Fault(400, 'ExpiredToken'), 'access_denied'],
    ['no session', { status: 401 }, 'access_denied'],
    ['another region', s3Fault(301, 'PermanentRedirect'), 'refused'],
    ['another region, signed for this', s3Fault(400, 'AuthorizationHeaderMalformed'), 'refused'],
    ['no bucket', s3Fault(404, 'NoSuchBucket'), 'bucket_missing'],
    ['load', s3Fault(503, 'SlowDown'), 'unavailable'],
    ['load, elsewhere', s3Fault(400, 'RequestTimeout'), 'unavailable'],
    ['load on the key server', s3Fault(400, 'KMS.ThrottlingException'), 'unavailable'],
    ['too many', { status: 429 }, 'unavailable'],
    ['a fault', page(500, loose), 'unavailable'],
    ['a gateway', page(502, wellFormed), 'unavailable'],
    ['not made yet', s3Fault(501, 'NotImplemented'), 'unavailable'],
    ['a proxy that wants a password', { status: 407 }, 'refused'],
  ])('is none: %s', async (_, answer, code) => {
    expect(await judged(answer)).toMatchObject({ code, ofObject: false });
  });

  it.each([
    ['a bucket that is not there', s3Fault(404, 'NoSuchBucket'), 'bucket_missing'],
    ['the same page for everything', page(404, wellFormed), 'bucket_missing'],
    ['a page of the site for everything else', page(200, wellFormed), 'bucket_missing'],
    ['a page that keeps folders to itself', page(403, loose), 'refused'],
    ['a store that is away', s3Fault(503, 'SlowDown'), 'unavailable'],
  ])('404 without a word is none behind %s', async (_, bucket, code) => {
    expect(await judged({ status: 404 }, bucket)).toMatchObject({ code, ofObject: false });
    expect(await judged(page(404, loose), bucket)).toMatchObject({ code, ofObject: false });
  });

  it('is one where the bucket may not be listed', async () => {
    const denied = s3Fault(403, 'AccessDenied');
    expect(await judged({ status: 404 }, denied)).toMatchObject({ code: 'not_found', ofObject: true });
  });

  it('of unknown meaning is none where the bucket is refused alike', async () => {
    const odd = s3Fault(400, 'ObjectIsHaunted');
    expect(await judged(odd, odd)).toMatchObject({ code: 'refused', ofObject: false });
  });
});

describe('the quick question whether the bucket is there', () => {
  async function asked(bucket: StubAnswer) {
    await using stub = await S3Stub.open();
    stub.bucket = () => bucket;
    await using store = stub.store();
    const answer = await store.exists({ quick: true }).catch((error: ObjectError) => error.code);
    return [answer, ...stub.methods];
  }

  it('costs no listing', async () => {
    expect(await asked({ status: 200 })).toEqual([true, 'HEAD']);
  });

  it.each([
    ['a key that is wrong', s3Fault(403, 'SignatureDoesNotMatch'), 'access_denied'],
    ['no bucket', s3Fault(404, 'NoSuchBucket'), false],
    ['load', s3Fault(503, 'SlowDown'), 'unavailable'],
  ])('is answered by a listing, which says why, where it is refused: %s', async (_, bucket, answer) => {
    expect(await asked(bucket)).toEqual([answer, 'HEAD', 'GET']);
  });
});
