// Opens, uses and closes sandboxes with nothing else that would keep this process alive.
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { openSandbox } from '../../dist/lib/base/sandbox/sandbox.js';

for (let round = 0; round < 10; round++) {
  const sandbox = await openSandbox({
    module: fileURLToPath(new URL('./sandbox-work.mjs', import.meta.url)),
    setup: {},
    processes: 2,
    eager: round % 2 === 0,
    limitMs: 200,
    called: 'a child',
    overrun: () => new Error('overrun'),
    cannotOpen: (how) => new Error(how),
    onNotice: () => undefined,
  });
  await Promise.allSettled([sandbox.run({ do: 'echo' }), sandbox.run({ do: round < 2 ? 'hang' : 'crash' })]);
  await sandbox[Symbol.asyncDispose]();
}
process.stdout.write('closed');
