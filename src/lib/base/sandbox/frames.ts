/** Messages with bytes beside them over a stream between two processes: lengths first, then both as they are. */
import type { Duplex, Writable } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

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
