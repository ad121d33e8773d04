/** What `doctor` says of an object store whose rights are not all there. */
import { describe, expect, it } from 'vitest';
import { ObjectError } from '../../../src/lib/base/errors.ts';
import { doctor } from '../../../src/lib/pipeline/doctor/doctor.ts';
import { storeCheck } from '../../../src/lib/pipeline/doctor/servers.ts';
import { s3Error } from '../../../src/lib/systems/objects/s3/s3-errors.ts';
import type { ObjectStore } from '../../../src/lib/systems/objects/store.ts';

type Right = 'list' | 'get' | 'put' | 'delete';

/** As S3 answers: without the right to list, 403 for what is missing. */
function storeWith(...rights: Right[]): ObjectStore {
  const objects = new Map<string, Buffer>();
  const place = { bucket: 'belt', url: 's3://belt', endpoint: undefined };
  const refusal = Object.assign(new Error('Access Denied'), {
    name: 'AccessDenied',
    $metadata: { httpStatusCode: 403 },
  });
  const denied = (key?: string) => s3Error(refusal, place, key) as ObjectError;
  const need = (right: Right, key?: string) =>
    rights.includes(right) ? Promise.resolve() : Promise.reject(denied(key));
  return {
    kind: 's3',
    url: place.url,
    create: () => Promise.resolve({ created: false }),
    exists: () => need('list').then(() => true),
    async put(key, body) {
      await need('put', key);
      objects.set(key, body);
    },
    async get(key) {
      await need('get', key);
      const found = objects.get(key);
      if (found) return found;
      await need('list', key);
      throw new ObjectError('there is none', { code: 'not_found' });
    },
    head: () => Promise.resolve(null),
    async remove(key) {
      await need('delete', key);
      objects.delete(key);
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async *list() {
      yield* [];
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function checked(store: ObjectStore) {
  const { checks } = await doctor([storeCheck(() => Promise.resolve(store), 1000)], () => undefined);
  return checks[0]!;
}

describe('doctor on the object store', () => {
  it('is content with all rights', async () => {
    expect(await checked(storeWith('list', 'get', 'put', 'delete'))).toMatchObject({ state: 'ok' });
  });

  it('names s3:ListBucket, and why, where listing is not allowed', async () => {
    expect(await checked(storeWith('get', 'put', 'delete'))).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('access denied') as string,
      hint: expect.stringMatching(
        /Without s3:ListBucket, S3 answers "access denied" for objects that are missing/,
      ) as string,
    });
  });

  it('says which rights a host that only consumes lacks, as a warning', async () => {
    expect(await checked(storeWith('list', 'get'))).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('can be listed and read, but not written') as string,
      hint: expect.stringContaining('s3:PutObject') as string,
    });
  });

  it('fails where nothing may be read', async () => {
    expect(await checked(storeWith('list'))).toMatchObject({ state: 'failed' });
    expect(await checked(storeWith('list', 'put', 'delete'))).toMatchObject({ state: 'failed' });
  });

  it('names the object that it may not remove', async () => {
    expect(await checked(storeWith('list', 'get', 'put'))).toMatchObject({
      state: 'warning',
      detail: expect.stringMatching(/\.visionscale-doctor\/[0-9a-f]{16} could not be deleted/) as string,
      hint: expect.stringContaining('s3:DeleteObject') as string,
    });
  });
});
