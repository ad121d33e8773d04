/** The object store contract on a directory and on S3. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectError } from '../../src/lib/base/errors.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import { s3Client } from '../../src/lib/systems/objects/s3/s3-client.ts';
import { openS3Store } from '../../src/lib/systems/objects/s3/s3.ts';
import { describeWith } from '../support/servers.ts';
import { collect, longKey, longSegment, nested, objectStoreContract } from './objects.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-objects-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

objectStoreContract('directory', {
  async open() {
    const store = openFileStore(join(dir, 'made by', 'create'));
    await store.create();
    return store;
  },
  openMissing: () => openFileStore(join(dir, 'missing', randomUUID())),
});

describeWith('S3', 'S3', (endpoint) => {
  // Each run has buckets of its own.
  const open = (prefix: string) => openS3Store({ endpoint, bucket: `vs-test-${randomUUID()}`, prefix });
  // versitygw keeps objects as files named by their keys.
  const mayRefuse = [longSegment, longKey, ...nested];

  for (const [name, prefix] of [
    ['bucket', ''],
    ['bucket with a prefix', 'some folder/sub%20'],
  ] as const) {
    objectStoreContract(name, {
      async open() {
        const store = open(prefix);
        await store.create();
        return store;
      },
      openMissing: () => open(prefix),
      mayRefuse,
    });
  }

  describe('on a real server', () => {
    const bucket = `vs-test-${randomUUID()}`;
    const jpeg = { contentType: 'image/jpeg' };
    beforeAll(async () => {
      await using store = openS3Store({ endpoint, bucket });
      await store.create();
      await store.put('typed.png', Buffer.from('x'), { contentType: 'image/png' });
    });

    it('stores the content type', async () => {
      const client = s3Client({ endpoint });
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'typed.png' }));
      expect(found.ContentType).toBe('image/png');
      client.destroy();
    });

    it('keeps to its prefix', async () => {
      await using inside = openS3Store({ endpoint, bucket, prefix: 'folder' });
      await using whole = openS3Store({ endpoint, bucket });
      await inside.put('x.jpg', Buffer.from('x'), jpeg);
      await whole.put('folder-2/y.jpg', Buffer.from('y'), jpeg);
      expect((await collect(inside.list())).map(({ key }) => key)).toEqual(['x.jpg']);
      expect((await collect(whole.list('folder'))).map(({ key }) => key)).toEqual([
        'folder-2/y.jpg',
        'folder/x.jpg',
      ]);
    });

    const wrong = {
      'a wrong secret': {
        accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: 'wrong-secret-value',
      },
      'an unknown user': { accessKeyId: 'nobody-here', secretAccessKey: 'wrong-secret-value' },
    };
    for (const [title, credentials] of Object.entries(wrong)) {
      it(`says access_denied for ${title}, without the secret`, async () => {
        await using store = openS3Store({ endpoint, bucket, credentials });
        const calls = [
          store.get('typed.png', { maxBytes: 10 }),
          store.put('x.jpg', Buffer.from('x'), jpeg),
          store.head('typed.png'),
          store.exists(),
          store.exists({ quick: true }),
          store.create(),
          collect(store.list()),
        ];
        for (const settled of await Promise.allSettled(calls)) {
          expect(settled.status).toBe('rejected');
          const reason: unknown = (settled as PromiseRejectedResult).reason;
          expect(reason).toBeInstanceOf(ObjectError);
          expect(reason).toMatchObject({ code: 'access_denied', retryable: false });
          expect(inspect(reason, { depth: 9, showHidden: true })).not.toMatch(
            /wrong-secret-value|Authorization|Signature=/,
          );
        }
      });
    }
  });
});
