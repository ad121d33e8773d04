// Opens a sandbox where no file can be opened any more, and says what becomes of it.
import { openSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { endWithin } from '../../dist/lib/base/end-within.js';
import { openSandbox } from '../../dist/lib/base/sandbox/sandbox.js';

try {
  for (;;) openSync('/dev/null');
} catch {
  endWithin(60_000);
}
const said = await openSandbox({
  module: fileURLToPath(new URL('./sandbox-work.mjs', import.meta.url)),
  setup: {},
  processes: 2,
  eager: true,
  limitMs: 300,
  called: 'a child',
  overrun: () => new Error('overrun'),
  cannotOpen: (how) => new Error(how),
  onNotice: () => undefined,
}).then(
  () => 'open',
  ({ code, retryable, message }) => JSON.stringify({ code, retryable, message }),
);
process.stdout.write(said);
