/** Runs the program and turns how it ended into an exit code. */
import { CommanderError } from 'commander';
import { buildProgram } from './cli.ts';

// `visionscale results | head` closes our stdout early: that is the reader's right, and no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has already told what is wrong, or shown the help or version that was asked for.
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
