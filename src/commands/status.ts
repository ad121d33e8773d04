/** `visionscale status` */
import { Command } from 'commander';
import { infrastructure, run, withSettings } from './shared/run.ts';

export function statusCommand(): Command {
  return withSettings(
    new Command('status')
      .description('how far everything has come, who owns which partition, and what waits and why')
      .addHelpText('after', '\nExample:\n  $ visionscale status --json'),
    infrastructure,
  ).action((_options, command: Command) => run(command, () => import('./actions/status.ts')));
}
