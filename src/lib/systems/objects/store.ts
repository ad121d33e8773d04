/** The object store: images by key. Implemented by `file.ts` (a directory) and `s3.ts` (S3 and what speaks like it). */

export interface ObjectInfo {
  key: string;
  bytes: number;
}

export interface PutOptions {
  contentType: string;
}

export interface GetOptions {
  /** Larger objects are refused with `too_large` before they are read whole. */
  maxBytes: number;
  /** Aborted: `get` rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Awaited once the size is known, before the bytes take memory. Where a server does not tell, it is `maxBytes`. */
  admit?: (bytes: number) => Promise<void>;
}

/**
 * Keys are any UTF-8 text of 1 to 1024 bytes without control characters, and may hold spaces, `#`, `%`, `+`, leading
 * dots and `/`; a key with an empty, `.` or `..` segment, or a leading `/`, is refused with `bad_key` so that no path
 * leaves its directory (`key.ts`). `a` and `a/b` are both good keys; a server that keeps objects as files may refuse
 * the second with `bad_key`.
 *
 * Errors are ObjectError, never with a secret in them. Of the one object (`ofObject`): `not_found`, `too_large`,
 * `bad_key`, `archived` (in a tier that cannot be read), `refused` (encrypted with a key that cannot be had, withheld).
 * Of settings, rights and servers: `access_denied`, `no_credentials`, `bucket_missing`, `refused` (anything else the
 * server will not do); `unavailable`, the only one that is retryable: away, slow, failing, full.
 */
export interface ObjectStore extends AsyncDisposable {
  readonly kind: 'file' | 's3';
  /** Where it is, in the form of VISIONSCALE_STORE; carries no secret. */
  readonly url: string;
  /** Makes the bucket or directory where it is missing. Safe from two hosts at once. */
  create(): Promise<{ created: boolean }>;
  /** Whether the bucket or directory is there. Throws `access_denied` where it may not be listed. */
  exists(): Promise<boolean>;
  /** Replaces atomically: a reader sees the old bytes or the new ones. Durable when it resolves. */
  put(key: string, body: Buffer, options: PutOptions): Promise<void>;
  /** Without what its Content-Encoding names. Throws an ImageError where that is unknown or broken, too. */
  get(key: string, options: GetOptions): Promise<Buffer>;
  /** Null where there is none. */
  head(key: string): Promise<ObjectInfo | null>;
  /** Removing what is not there succeeds. */
  remove(key: string): Promise<void>;
  /**
   * All objects whose keys begin with `prefix`, in byte order of their keys, streamed page by page. What no key names
   * is left out: directory markers, temporary files, symbolic links.
   */
  list(prefix?: string): AsyncIterable<ObjectInfo>;
}
