/** What `watch` tells while it runs. */

export type WatchEvent =
  /** Everything that was there at the start has been found. */
  | { kind: 'watching'; dir: string }
  /** In the store and the table, and its key in the topic. */
  | { kind: 'sent'; path: string; key: string; bytes: number; replaced: boolean; capturedAt: Date }
  /** Known from before, and sent then. */
  | { kind: 'skipped'; path: string; key: string }
  /** Not an image, or never finished. It is looked at again when it changes. */
  | { kind: 'rejected'; path: string; reason: string }
  | { kind: 'deleted'; path: string }
  /** Something is away; the step is tried again. */
  | { kind: 'waiting'; reason: string; code: string }
  /** A place that cannot be watched. */
  | { kind: 'problem'; reason: string };
