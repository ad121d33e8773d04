/** Compiles the sources for tests that start processes, where they have changed since. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

function isCurrent(): boolean {
  const built = statSync(`${root}dist/.tsbuildinfo`, { throwIfNoEntry: false });
  if (!built) return false;
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return sources.every((name) => {
    const output = `${root}dist/${name.slice(0, -'.ts'.length)}.js`;
    return existsSync(output) && statSync(`${root}src/${name}`).mtimeMs <= built.mtimeMs;
  });
}

/** `npm test` has built already; this is for a single file run while working on the sources. */
export async function ensureBuilt(): Promise<void> {
  if (isCurrent()) return;
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  // Type errors are the type check's business: tsc writes its output all the same.
  await new Promise((resolve) =>
    execFile(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root }, resolve),
  );
}
