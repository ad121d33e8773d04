/** What `upload` needs of the table of images; implemented over PostgreSQL in `database/images.ts`. */

export interface KnownImage {
  key: string;
  /** Of the content, in hex; null in a row that was inserted by hand. */
  sha256: string | null;
}

export interface ImageRow {
  key: string;
  sha256: string;
  bytes: number;
  contentType: string;
}

/** Faults are thrown as VisionscaleErrors; what is retryable is tried again. */
export interface ImageTable {
  /** The rows there are among `keys` (some hundreds at a time), in any order. */
  lookup(keys: readonly string[]): Promise<KnownImage[]>;
  /**
   * Inserts or replaces the rows of images whose objects are in the store, durably when it resolves. A row with
   * another sha256 begins a new round; the same row again changes nothing.
   */
  save(images: readonly ImageRow[]): Promise<void>;
}
