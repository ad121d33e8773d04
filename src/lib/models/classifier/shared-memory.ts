/** Bytes that several threads read. */

/** A copy in shared memory: every thread that is handed it reads the very same bytes. */
export function inSharedMemory(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}
