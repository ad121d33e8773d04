/** `visionscale produce` */
import { Command, Option } from 'commander';
import { beltName, countAbove0, positive } from '../shared/arguments.ts';
import { infrastructure, metricsSettings, run, whileStdin, withSettings } from '../shared/run.ts';
import type { ProduceFlags } from './action.ts';

export function produceCommand(): Command {
  return withSettings(
    new Command('produce')
      .description('Send the keys of uploaded images to the topic, each once')
      .option('--again', 'Send all keys again (a new round; an unfinished one is finished first)')
      .addOption(
        new Option(
          '--missing',
          'Also send again what has no result, under the same request ids (after the topic was lost)',
        ).conflicts(['again', 'follow', 'limit']),
      )
      .option('-n, --limit <n>', 'Most keys to send', countAbove0)
      .option('--rate <n>', 'Most keys per second', positive)
      .option('--belt <name>', 'Belt that the images come from; kept in the rows', beltName)
      .option('-f, --follow', 'Keep running and send the keys of images that are inserted later')
      .addOption(whileStdin())
      .addHelpText('after', '\nExample:\n  $ visionscale produce --rate 100'),
    [...infrastructure, ...metricsSettings, 'VISIONSCALE_PARTITIONS'],
  ).action((options: ProduceFlags, command: Command) => run(command, () => import('./action.ts'), options));
}
