/** Chooses the object store that the settings name, reads store URLs, and opens other buckets when they are needed. */
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UsageError } from '../../base/errors.ts';
import { openFileStore } from './file/file.ts';
import type { S3Connection, S3Credentials } from './s3/s3-client.ts';
import { objectKeyFault, type ObjectStore } from './store.ts';

export type StoreSettings =
  | { kind: 'file'; dir: string }
  | {
      kind: 's3';
      bucket: string;
      prefix: string;
      endpoint?: string;
      region?: string;
      credentials?: S3Credentials;
      caFiles?: Readonly<Record<string, string>>;
    };

/** How patient a client of a server is. */
export type StorePatience = Pick<S3Connection, 'requestTimeoutMs' | 'attempts'>;

/** Connects to nothing yet. The S3 client is loaded only where it is used. */
export async function openStore(settings: StoreSettings, patience: StorePatience = {}): Promise<ObjectStore> {
  if (settings.kind === 'file') return openFileStore(settings.dir);
  const { openS3Store } = await import('./s3/s3.ts');
  return openS3Store({ ...settings, ...patience });
}

const forms = 'A store is s3://bucket, s3://bucket/folder or file:///directory.';

/**
 * Reads `s3://bucket/prefix` or `file:///dir`; `%XX` is decoded, spaces may stand as they are. The prefix comes
 * without slashes at its ends. Throws a UsageError that does not repeat what may be a secret.
 */
export function parseStoreUrl(text: string): StoreSettings {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(.*)$/is.exec(text);
  if (!match) throw new UsageError('a store is given as a URL', hintFor(text));
  const [, scheme = '', host = '', path = ''] = match;
  if (host.includes('@')) {
    throw new UsageError(
      'a store URL must not contain a user or password',
      'Credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    );
  }
  if (/[?#]/.test(host + path)) {
    throw new UsageError(
      'a store URL has no query or fragment',
      'Write ? as %3F and # as %23 if they belong to the name.',
    );
  }
  switch (scheme.toLowerCase()) {
    case 's3':
      return { kind: 's3', bucket: checkBucket(host), prefix: parsePrefix(path) };
    case 'file':
      return { kind: 'file', dir: parseDirectory(host, path) };
    default:
      throw new UsageError(`there is no store ${scheme}://`, forms);
  }
}

/** AWS's rules for new buckets, and what other servers and older buckets have: capitals and underscores. */
export function isBucketName(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(text);
}

function checkBucket(bucket: string): string {
  if (bucket === '') throw new UsageError('the store URL names no bucket', forms);
  if (!isBucketName(bucket)) {
    throw new UsageError(
      `"${bucket}" cannot be a bucket`,
      'Buckets are 3 to 63 letters, digits, dots and hyphens.',
    );
  }
  return bucket;
}

function parsePrefix(path: string): string {
  const prefix = decode(path).replace(/^\/+|\/+$/g, '');
  const fault = prefix === '' ? undefined : objectKeyFault(prefix);
  if (fault !== undefined) throw new UsageError(`the store's prefix cannot begin object keys: ${fault}`);
  return prefix;
}

function parseDirectory(host: string, path: string): string {
  if (host !== '' && host.toLowerCase() !== 'localhost') {
    const hint = `Three slashes: file:///${host}${path} (or an absolute path of your own).`;
    throw new UsageError(`file://${host} would be a directory on another host`, hint);
  }
  const plain = decode(path);
  if (plain === '') throw new UsageError('the store URL names no directory', forms);
  if (/\p{Cc}/u.test(plain)) throw new UsageError('the store URL contains a control character');
  // Windows has drive letters; elsewhere the URL parser would lose backslashes and spaces at the end.
  return process.platform === 'win32' ? fileURLToPath(`file://${path}`) : resolve(plain);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError(
      `"${text}" is not percent-encoded right`,
      'Write % as %25 if it belongs to the name.',
    );
  }
}

function hintFor(text: string): string {
  if (/^\.{0,2}\//.test(text)) return `For a directory: ${pathToFileURL(text).href}`;
  return forms;
}

/** Buckets other than the configured store's, opened when the first image of one is asked for. */
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
