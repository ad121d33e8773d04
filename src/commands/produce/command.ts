/** `visionscale produce` */
import { Command } from 'commander';
import { beltName, countAbove0, positive } from '../shared/arguments.ts';
import { infrastructure, metricsSettings, run, whileStdin, withSettings } from '../shared/run.ts';
import type { ProduceFlags } from './action.ts';

export function produceCommand(): Command {
  return withSettings(
    new Command('produce')
      .description('send the keys of uploaded images through the topic, each once')
      .option('--again', 'send every key once more (a new round; an unfinished one is finished first)')
      .option('--limit <n>', 'most keys to send', countAbove0)
      .option('--rate <n>', 'most keys a second', positive)
      .option('--belt <name>', 'belt the images come from; kept in the rows', beltName)
      .option('--follow', 'go on with the keys of images that are inserted later, until it is told to stop')
      .addOption(whileStdin())
      .addHelpText('after', '\nExample:\n  $ visionscale produce --rate 100'),
    [...infrastructure, ...metricsSettings, 'VISIONSCALE_PARTITIONS'],
  ).action((options: ProduceFlags, command: Command) => run(command, () => import('./action.ts'), options));
}
