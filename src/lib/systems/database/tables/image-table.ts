/** What `upload` needs of the table of images; implemented over PostgreSQL in `database/images.ts`. */

export interface KnownImage {
  key: string;
  /** Of the content, in hex; null in a row that was inserted by hand, or whose replacement was cut off. */
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
   * Clears the sha256 of a row whose object is about to be replaced: until `save`, nobody knows what the store holds.
   * Durably when it resolves.
   */
  forget(key: string): Promise<void>;
  /**
   * Inserts or replaces the rows of images whose objects are in the store, durably when it resolves. A row with
   * another sha256 begins a new round; the same row again changes nothing.
   */
  save(images: readonly ImageRow[]): Promise<void>;
}
