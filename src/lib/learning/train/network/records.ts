/** Decoded pixels, kept in a file after the first time: records of one size, so that memory stays the system's to give. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { errorMessage } from '../../../base/errors.ts';

export interface RecordOptions {
  file: string;
  count: number;
  /** Bytes of a record. */
  size: number;
  /** Largest file; records beyond it are made each time. */
  maxBytes: number;
  /** Makes a record: as many bytes as `size` says. */
  make: (index: number) => Promise<Uint8Array>;
  /** Told once, when no more records fit. */
  onFull: (reason: string) => void;
}

export interface Records extends Disposable {
  read(index: number): Promise<Uint8Array>;
}

/** The file is this object's own: what was there goes, and it goes with it. */
export function openRecords({ file, count, size, maxBytes, make, onFull }: RecordOptions): Records {
  const fd = openSync(file, 'w+', 0o600);
  const kept = new Uint8Array(count);
  let room = Math.floor(maxBytes / size);
  let open = true;
  if (room < count) onFull(`${count} images take ${count * size} bytes, the limit is ${maxBytes}`);

  function keep(index: number, record: Uint8Array): void {
    if (!open || index >= room) return;
    try {
      for (let at = 0; at < size;) at += writeSync(fd, record, at, size - at, index * size + at);
      kept[index] = 1;
    } catch (error) {
      room = 0; // a full disk costs time, not the training
      onFull(errorMessage(error));
    }
  }

  return {
    async read(index) {
      // Synchronous: the system mostly has it in memory, and the event loop stands still during every step.
      if (kept[index]) {
        const record = Buffer.allocUnsafe(size);
        for (let at = 0; at < size;) {
          const read = readSync(fd, record, at, size - at, index * size + at);
          if (read === 0) throw new Error(`${file} was cut off while it was in use`);
          at += read;
        }
        return record;
      }
      const record = await make(index);
      keep(index, record);
      return record;
    },
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      closeSync(fd);
      rmSync(file, { force: true });
    },
  };
}
