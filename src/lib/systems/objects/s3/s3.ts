/** The object store in an S3 bucket, on AWS or on any server that speaks the same. */
import type { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type BucketLocationConstraint,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { UsageError } from '../../../base/errors.ts';
import {
  checkKey,
  objectKeyFault,
  tooLarge,
  type GetOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
} from '../store.ts';
import { type Found, QuickRequests } from './quick-requests.ts';
import { decodeContent, encodingsOf, readBody } from './s3-body.ts';
import { s3Client, type S3Connection, decodeListedKey } from './s3-client.ts';
import {
  bucketMissing,
  bucketNameTaken,
  isMissing,
  objectError,
  s3Error,
  statusOf,
  type S3Place,
} from './s3-errors.ts';

export interface S3Options extends S3Connection {
  bucket: string;
  /** A folder within the bucket, without slashes at its ends; none by default. */
  prefix?: string;
}

/** Bodies from here on are sent in parts, a few at a time; a fault then costs a part, not the whole. */
const MULTIPART_BYTES = 16 * 1024 * 1024;
const PART_BYTES = 8 * 1024 * 1024;

/** Connects to nothing by itself. Credentials come from the SDK's default chain unless given. */
export function openS3Store(options: S3Options): ObjectStore {
  const prefix = options.prefix ?? '';
  const fault = prefix === '' ? undefined : objectKeyFault(prefix);
  if (fault !== undefined) throw new UsageError(`the store's prefix cannot begin object keys: ${fault}`);
  return new S3Store(options, prefix === '' ? '' : `${prefix}/`);
}

class S3Store implements ObjectStore {
  readonly kind = 's3';
  readonly url: string;
  readonly #client: S3Client;
  readonly #quick: QuickRequests;
  readonly #bucket: string;
  /** What every key begins with in the bucket: empty, or a folder and its slash. */
  readonly #base: string;
  readonly #place: S3Place;

  constructor(options: S3Options, base: string) {
    this.#client = s3Client(options);
    this.#quick = new QuickRequests(this.#client);
    this.#bucket = options.bucket;
    this.#base = base;
    const folder = base.split('/').map(encodeURIComponent).join('/');
    this.url = `s3://${options.bucket}/${folder}`.replace(/\/$/, '');
    this.#place = { bucket: options.bucket, url: this.url, endpoint: options.endpoint };
  }

  async create(): Promise<{ created: boolean }> {
    if (await this.exists()) return { created: false };
    return this.#guard(async () => {
      const region = await this.#client.config.region();
      // us-east-1 is what a request without a constraint means; naming it is refused.
      const elsewhere = region !== 'us-east-1' && {
        CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint },
      };
      try {
        await this.#client.send(new CreateBucketCommand({ Bucket: this.#bucket, ...elsewhere }));
        return { created: true };
      } catch (error) {
        // Another host was faster.
        if (error instanceof Error && error.name === 'BucketAlreadyOwnedByYou') return { created: false };
        if (!(error instanceof Error && error.name === 'BucketAlreadyExists')) throw error;
        if (await this.exists().catch(() => false)) return { created: false };
        throw bucketNameTaken(this.#place, error);
      }
    });
  }

  async exists({ quick = false } = {}): Promise<boolean> {
    return this.#guard(async () => {
      try {
        if (!quick || !(await this.#hasBucket())) await this.#first();
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  /** Whether what answers is the bucket: not a page that is there whatever is asked for. */
  async #answers(signal?: AbortSignal): Promise<boolean> {
    return this.#guard(async () => {
      try {
        const { Name, KeyCount, IsTruncated } = await this.#first(signal);
        return (Name ?? KeyCount ?? IsTruncated) !== undefined;
      } catch (error) {
        if (isMissing(error)) return false;
        // Denied by a store that says so in its own words, which a page has not: it is there, and has looked for the key.
        if (error instanceof Error && error.name === 'AccessDenied') return true;
        throw error;
      }
    });
  }

  /** For a tenth of what AWS asks for a listing. False where it is refused: the answer has no body that says why. */
  async #hasBucket(): Promise<boolean> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }));
      return true;
    } catch (error) {
      if (error instanceof Error && statusOf(error) !== undefined) return false;
      throw error;
    }
  }

  #first(signal?: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#base, MaxKeys: 1 });
    return this.#client.send(command, signal && { abortSignal: signal });
  }

  async put(key: string, body: Buffer, { contentType, sha256 }: PutOptions): Promise<void> {
    const address = this.#address(key);
    const params = { ...address, Body: body, ContentType: contentType };
    await this.#guard(async () => {
      if (body.length < MULTIPART_BYTES) {
        const quick = sha256 !== undefined && { body, contentType, sha256 };
        if (quick && (await this.#quick.put(address.Key, quick))) return;
        await this.#client.send(new PutObjectCommand(params));
        return;
      }
      const { Upload } = await import('@aws-sdk/lib-storage');
      await new Upload({ client: this.#client, params, partSize: PART_BYTES, queueSize: 2 }).done();
    }, key);
  }

  async get(key: string, { maxBytes, signal, admit }: GetOptions): Promise<Buffer> {
    const address = this.#address(key);
    signal?.throwIfAborted();
    try {
      const { body, bytes, encoding } =
        (await this.#quick.get(address.Key, signal)) ?? (await this.#find(address, signal));
      if (bytes !== undefined && bytes > maxBytes) {
        // An unread body would keep its socket for ever.
        body.destroy();
        throw tooLarge(key, bytes, maxBytes);
      }
      let encodings: string[];
      try {
        encodings = encodingsOf(encoding, key);
        // What comes out of an encoding is known at its end, and takes memory beside what went in.
        await admit?.((bytes ?? maxBytes) + (encodings.length > 0 ? maxBytes : 0));
      } catch (error) {
        body.destroy();
        throw error;
      }
      const read = await readBody(body, maxBytes);
      if (read === null) throw tooLarge(key, undefined, maxBytes);
      return await decodeContent(read, encodings, { key, maxBytes });
    } catch (error) {
      signal?.throwIfAborted();
      const judged = await objectError(error, this.#place, key, () => this.#answers(signal));
      signal?.throwIfAborted();
      throw judged;
    }
  }

  async #find(address: { Bucket: string; Key: string }, signal?: AbortSignal): Promise<Found> {
    const found = await this.#client.send(new GetObjectCommand(address), signal && { abortSignal: signal });
    return { body: found.Body as Readable, bytes: found.ContentLength, encoding: found.ContentEncoding };
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const address = this.#address(key);
    return this.#guard(async () => {
      try {
        const found = await this.#client.send(new HeadObjectCommand(address));
        return { key, bytes: found.ContentLength ?? 0 };
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      // The answer to HEAD has no body: a missing bucket, or an unknown user, looks like a missing object.
      if (!(await this.exists())) throw bucketMissing(this.#place);
      return null;
    }, key);
  }

  async remove(key: string): Promise<void> {
    const address = this.#address(key);
    await this.#guard(async () => {
      try {
        await this.#client.send(new DeleteObjectCommand(address));
      } catch (error) {
        if (!isMissing(error) || error.name === 'NoSuchBucket') throw error;
      }
    }, key);
  }

  async *list(prefix = ''): AsyncGenerator<ObjectInfo> {
    let token: string | undefined;
    do {
      const page = await this.#guard(() =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#base + prefix,
            EncodingType: 'url',
            ...(token !== undefined && { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key === undefined) continue;
        const key = decodeListedKey(Key, page.EncodingType).slice(this.#base.length);
        // What no key names (a console's `folder/` markers) is not an object of this store.
        if (objectKeyFault(key) === undefined) yield { key, bytes: Size ?? 0 };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #address(key: string): { Bucket: string; Key: string } {
    checkKey(key);
    // The folder counts towards the limit too.
    checkKey(this.#base + key);
    return { Bucket: this.#bucket, Key: this.#base + key };
  }

  async #guard<T>(work: () => Promise<T>, key?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw s3Error(error, this.#place, key);
    }
  }
}
