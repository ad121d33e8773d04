/** What an upload tells while it runs; renderers turn it into lines, bars or JSON. */

export type UploadEvent =
  /** The walk has come this far: all files so far and their bytes; each ends as one of the next four. */
  | { type: 'found'; files: number; bytes: number; complete: boolean }
  | { type: 'uploaded'; path: string; key: string; bytes: number; replaced: boolean }
  /** A dry run would upload it. */
  | { type: 'would_upload'; path: string; key: string; bytes: number; replaced: boolean }
  /** Unchanged since an earlier upload. */
  | { type: 'skipped'; path: string; key: string; bytes: number }
  | { type: 'rejected'; path: string; reason: string }
  /** The store or the database is away; the step is tried again after `delayMs`. */
  | { type: 'waiting'; error: unknown; attempt: number; delayMs: number };
