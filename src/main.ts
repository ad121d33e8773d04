/** Runs the program and turns how it ended into an exit code. */
import { CommanderError } from 'commander';
import { buildProgram } from './cli.ts';
import { asksForJson, welcome } from './commands/shared/help.ts';
import { tellJsonError } from './commands/shared/lines.ts';

// `visionscale results | head` closes our stdout early: that is the reader's right, and no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  // Such as a full disk behind `>`. What was written is cut off, so nothing may take it for the whole.
  const message = `the output cannot be written: ${error.message}`;
  if (asksForJson()) tellJsonError('cannot_write', message);
  else process.stderr.write(`visionscale: ${message}\n`);
  process.exit(1);
});

try {
  process.cwd();
} catch {
  // Every path is read from it, and Node's own threads end without it.
  const message = 'the current directory has been removed';
  const hint = 'Change to another one: cd';
  if (asksForJson()) tellJsonError('usage', message, hint);
  else process.stderr.write(`visionscale: ${message}\n  ${hint}\n`);
  process.exit(2);
}

try {
  if (process.argv.length === 2) process.stdout.write(welcome);
  else await buildProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has already told what is wrong, or shown the help or version that was asked for.
  process.exitCode = error.exitCode === 0 ? 0 : 2;
  if (error.exitCode !== 0 && asksForJson()) {
    const [message, suggestion] = error.message.replace(/^error: /, '').split('\n');
    tellJsonError('usage', message!, suggestion ?? 'Run it with --help for usage.');
  }
}
