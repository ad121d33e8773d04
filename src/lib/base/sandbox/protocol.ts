/** What a sandbox and its child processes say to each other, and the bytes it travels as. */
import type { Duplex, Writable } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { errorMessage, ImageError, VisionscaleError } from '../errors.ts';

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

// Errors between threads and processes: as plain values, for cloning strips their class.

interface PlainError {
  name: string;
  message: string;
  code: string;
  retryable: boolean;
  hint: string | undefined;
  cause: string | undefined;
}

export function toPlainError(error: VisionscaleError): PlainError {
  const { name, message, code, retryable, hint, cause } = error;
  return {
    name,
    message,
    code,
    retryable,
    hint,
    cause: cause === undefined ? undefined : errorMessage(cause),
  };
}

export function fromPlainError(plain: PlainError): VisionscaleError {
  const { name, message, code, retryable, hint, cause } = plain;
  const details = {
    code,
    retryable,
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause: new Error(cause) }),
  };
  return name === 'ImageError' ? new ImageError(message, details) : new VisionscaleError(message, details);
}

// Messages with bytes beside them over a stream between two processes: lengths first, then both as they are.

const headBytes = 8;
const nothing = new Uint8Array(0);

/** `message`: anything that can be cloned. `bytes` are not copied: they must stay as they are until they are sent. */
export function sendFrame(stream: Writable, message: unknown, bytes: Uint8Array = nothing): void {
  const body = serialize(message);
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt32LE(bytes.length, 4);
  stream.cork();
  stream.write(head);
  stream.write(body);
  if (bytes.length > 0) stream.write(bytes);
  stream.uncork();
}

/** `hear` gets each message with memory of its own for its bytes. */
export function onFrame(stream: Duplex, hear: (message: unknown, bytes: Buffer) => void): void {
  const head = Buffer.alloc(headBytes);
  /** What is being filled: the head, then the message, then its bytes. */
  let parts: Buffer[] = [head];
  let at = 0;
  stream.on('data', (chunk: Buffer) => {
    for (let from = 0; ;) {
      const part = parts.at(-1)!;
      const taken = Math.min(part.length - at, chunk.length - from);
      chunk.copy(part, at, from, from + taken);
      at += taken;
      from += taken;
      if (at < part.length) return;
      at = 0;
      if (parts.length === 1) {
        parts = [head, Buffer.allocUnsafeSlow(head.readUInt32LE(0))];
      } else if (parts.length === 2) {
        parts.push(Buffer.allocUnsafeSlow(head.readUInt32LE(4)));
      } else {
        const [, body, bytes] = parts as [Buffer, Buffer, Buffer];
        parts = [head];
        hear(deserialize(body), bytes);
      }
    }
  });
}
