// A process with a sandbox at a task without end: says the child's pid and waits to be killed.
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { openSandbox } from '../../dist/lib/base/sandbox/sandbox.js';

const sandbox = await openSandbox({
  module: fileURLToPath(new URL('./sandbox-work.mjs', import.meta.url)),
  setup: {},
  processes: 1,
  eager: true,
  limitMs: 600_000,
  called: 'a child',
  overrun: () => new Error('overrun'),
  cannotOpen: (how) => new Error(how),
  onNotice: () => undefined,
});
const { pid } = await sandbox.run({ do: 'echo' });
process.stdout.write(`${pid}\n`);
await sandbox.run({ do: process.argv[2] });
