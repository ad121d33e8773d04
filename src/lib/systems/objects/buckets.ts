/** Buckets other than the configured store's, opened when the first image of one is asked for. */
import type { S3Connection } from './s3/s3-client.ts';
import type { ObjectStore } from './store.ts';

export interface Buckets extends AsyncDisposable {
  /** The whole bucket as a store; connects to nothing by itself. */
  of(bucket: string): Promise<ObjectStore>;
}

/** All with the same endpoint and credentials. The S3 client is loaded only where it is used. */
export function openBuckets(connection: S3Connection): Buckets {
  const opened = new Map<string, Promise<ObjectStore>>();
  let closed: Promise<void> | undefined;
  const close = async () => {
    const stores = await Promise.allSettled(opened.values());
    for (const store of stores) if (store.status === 'fulfilled') await store.value[Symbol.asyncDispose]();
  };
  return {
    of(bucket) {
      let store = opened.get(bucket);
      if (store === undefined) {
        store = import('./s3/s3.ts').then(({ openS3Store }) => openS3Store({ ...connection, bucket }));
        opened.set(bucket, store);
      }
      return store;
    },
    [Symbol.asyncDispose]: () => (closed ??= close()),
  };
}
