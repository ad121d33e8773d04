/** Builds dist/ for tests that start processes, where the sources have changed since. */
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));

function isCurrent(): boolean {
  const built = statSync(`${root}dist/main.js`, { throwIfNoEntry: false });
  if (!built) return false;
  // Directories too: they tell of files that were moved or removed.
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).map(
    (name) => `src/${name}`,
  );
  return ['rolldown.config.js', 'src', ...sources].every(
    (name) => statSync(`${root}${name}`).mtimeMs <= built.mtimeMs,
  );
}

/** `npm test` has built already; this is for a single file run while working on the sources. */
export async function ensureBuilt(): Promise<void> {
  if (!isCurrent())
    await promisify(execFile)('npm', ['run', 'build'], { cwd: root, shell: process.platform === 'win32' });
}
