/** Small file systems that can be filled to the last byte. Only inside the namespace that `start` makes. */
import { execFile } from 'node:child_process';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ballast = 'ballast';

/** Mounts one in memory at `path`; it goes with the namespace. */
export async function mountSmall(path: string, mebibytes: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=755`, 'tmpfs', path]);
}

/** Also one that is in use; nothing where there is none. */
export async function unmount(path: string): Promise<void> {
  await run('umount', ['-l', path]).catch(() => undefined);
}

/** Leaves no block free; resolves to the bytes it took. */
export async function fill(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  await run('fallocate', ['-l', `${bavail * bsize}`, join(path, ballast)]).catch(() => undefined);
  return bavail * bsize;
}

export async function release(path: string): Promise<void> {
  await rm(join(path, ballast), { force: true });
}
