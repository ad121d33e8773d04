/** Store URLs and the choice of the store. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/lib/base/errors.ts';
import { openFileStore } from '../../../src/lib/systems/objects/file/file.ts';
import { openStore, parseStoreUrl } from '../../../src/lib/systems/objects/open.ts';

describe('parseStoreUrl', () => {
  it.each([
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['S3://my.Bucket_1/a/b/', { kind: 's3', bucket: 'my.Bucket_1', prefix: 'a/b' }],
    ['s3://bucket/a%20b/c d/100%25', { kind: 's3', bucket: 'bucket', prefix: 'a b/c d/100%' }],
    ['file:///srv/images', { kind: 'file', dir: '/srv/images' }],
    ['file:///srv/images/', { kind: 'file', dir: '/srv/images' }],
    ['file://localhost/srv', { kind: 'file', dir: '/srv' }],
    ['file:///with space/%23%25/%C3%BC/ü', { kind: 'file', dir: '/with space/#%/ü/ü' }],
    ['file:///back\\slash', { kind: 'file', dir: '/back\\slash' }],
  ])('reads %s', (text, expected) => {
    expect(parseStoreUrl(text)).toEqual(expected);
  });

  it.each([
    ['', /given as a URL/],
    ['/srv/images', /given as a URL/],
    ['./images', /given as a URL/],
    ['bucket', /given as a URL/],
    ['http://bucket/x', /no store http/],
    ['s3://', /names no bucket/],
    ['s3:///prefix', /names no bucket/],
    ['s3://a', /cannot be a bucket/],
    ['s3://-bucket', /cannot be a bucket/],
    ['s3://bucket/a/../b', /prefix cannot begin object keys/],
    ['s3://bucket/a//b', /prefix cannot begin object keys/],
    ['s3://bucket/100%', /percent-encoded/],
    ['s3://bucket/a?b', /no query or fragment/],
    ['file:///a#b', /no query or fragment/],
    ['file://', /names no directory/],
    ['file://images/a', /another host/],
    ['file:///a%00b', /control character/],
  ])('refuses %j', (text, message) => {
    expect(() => parseStoreUrl(text)).toThrow(UsageError);
    expect(() => parseStoreUrl(text)).toThrow(message);
  });

  it('says the URL of a path', () => {
    expect(() => parseStoreUrl('/srv/my images')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('file:///srv/my%20images') as string }),
    );
  });

  it('repeats no secret', () => {
    try {
      parseStoreUrl('s3://AKIA:sesame@bucket/x');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      expect(`${String(error)} ${(error as UsageError).hint}`).not.toContain('sesame');
    }
  });

  it('reads back what a store says of itself', async () => {
    expect(parseStoreUrl(openFileStore('/a b/%/#?\\/ü').url)).toEqual({ kind: 'file', dir: '/a b/%/#?\\/ü' });
    const s3 = { kind: 's3', bucket: 'bucket', prefix: 'a b/%/#?ü', endpoint: 'http://127.0.0.1:9' } as const;
    await using store = await openStore(s3);
    expect(parseStoreUrl(store.url)).toEqual({ kind: 's3', bucket: 'bucket', prefix: 'a b/%/#?ü' });
  });
});

describe('openStore', () => {
  it.each(['127.0.0.1:9000', 'ftp://host', 'http://user:sesame@host:9000', 'http:/sesame'])(
    'refuses the endpoint %s without repeating it',
    async (endpoint) => {
      const opening = openStore({ kind: 's3', bucket: 'bucket', prefix: '', endpoint });
      await expect(opening).rejects.toBeInstanceOf(UsageError);
      await expect(opening).rejects.not.toThrow('sesame');
    },
  );
});
