/** What a sandbox and its child processes say to each other. */
import type { PlainError } from './plain-error.ts';

/** What a child is told: first what to open, then tasks with their bytes beside them. */
export type Order =
  | ({ kind: 'open' } & Opening)
  | { kind: 'task'; task: unknown }
  /** The order of this number (the opening is the first) need not be done if it has not begun. */
  | { kind: 'withdraw'; number: number };

/** What to load, and what that is opened with. */
export interface Opening {
  /** Path of a compiled module whose default export is an `OpenWork`. */
  module: string;
  setup: unknown;
}

/** Opens what the work needs, and warms it: the child is given its first task when this has resolved. */
export type OpenWork<Setup, Task, Reply> = (setup: Setup) => Promise<Work<Task, Reply>>;

/** Does one task at a time. Any error but a VisionscaleError ends the process. */
export type Work<Task, Reply> = (task: Task, bytes: Buffer) => Promise<Reply>;

export type Answer =
  | { kind: 'ready' }
  | { kind: 'done'; reply: unknown }
  | { kind: 'withdrawn' }
  /** Expected: the process goes on, unless it was opening. */
  | { kind: 'failed'; error: PlainError }
  /** Not expected: the process ends with it. */
  | { kind: 'broken'; reason: string };
