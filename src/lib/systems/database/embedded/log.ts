/** The keeper's log: what it does and what PostgreSQL says, kept below a size. */
import { appendFileSync, chownSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const largest = 1_000_000;

export interface Log {
  (text: string): void;
}

/** Lines go to `path`; at 1 MB the file becomes `<path>.1`, in place of an older one. */
export function openLog(path: string): Log {
  return (text) => {
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== undefined && size > largest) renameSync(path, `${path}.1`);
      appendFileSync(path, `${new Date().toISOString()} ${text}\n`, { mode: 0o600 });
      if (size === undefined || size > largest) giveToOwner(path);
    } catch {
      // A full disk must not end the server that may still work on it.
    }
  };
}

function giveToOwner(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  if (uid !== 0) chownSync(path, uid, gid);
}
