import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { ensureBuilt } from '../support/build.ts';
import { processesOf } from '../support/processes.ts';
import { itThorough } from '../support/thorough.ts';

beforeAll(ensureBuilt, 120_000);

const module = fileURLToPath(new URL('../../dist/lib/base/end-within.js', import.meta.url));

/** A process that is to end within a second of the start of `then`. */
function ending(then: string) {
  const script = `import { endWithin } from ${JSON.stringify(module)}; endWithin(1000); ${then}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
}

it('ends a process that nothing else could end any more', async () => {
  const child = ending('for (;;);');
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
}, 60_000);

itThorough(
  'ends a process whose exit waits for native code',
  async () => {
    const child = ending(
      "(await import('node:crypto')).pbkdf2('a', 'b', 2 ** 31 - 1, 64, 'sha512', () => {}); setTimeout(() => process.exit(), 100);",
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  },
  60_000,
);

it('leaves one that ends by itself, and nothing behind', async () => {
  const child = ending('process.exitCode = 7;');
  expect(await once(child, 'exit')).toEqual([7, null]);
  while (processesOf(`end-within\0${child.pid}\0`).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}, 60_000);
