/** `visionscale consume` */
import { Command, Option } from 'commander';
import { wholeNumber } from '../shared/arguments.ts';
import {
  consumeSettings,
  infrastructure,
  metricsSettings,
  modelSettings,
  offersModel,
  run,
  whileStdin,
  withSettings,
} from '../shared/run.ts';
import type { ConsumeFlags } from './action.ts';

export function consumeCommand(): Command {
  const command = new Command('consume')
    .description(
      'Classify images: from every partition that nobody else owns, shared with consumers started the same way',
    )
    .addOption(
      new Option(
        '-p, --partition <n>',
        'Consume this partition only; wait as standby while another consumer owns it',
      )
        .argParser(wholeNumber)
        .conflicts('group'),
    )
    .option('--group', 'Let Kafka assign the partitions among the --group consumers')
    .option('--until-drained', 'Stop after the messages that were there at the start')
    .option('--skip-expired', 'Skip messages that the topic deleted before they were read')
    .option(
      '--from <time>',
      'Read messages since this time again (2h, or 2026-11-22T14:00:00Z); existing results stay',
    )
    .addOption(whileStdin())
    .addHelpText(
      'after',
      '\nWithout --model it runs the models that `model use` chose for the pipeline and\n' +
        'its belts. With it, that model classifies all images, whatever their belt.\n' +
        '\nExample:\n  $ visionscale consume\n  $ visionscale consume --partition 0 --model squeezenet1_1',
    );
  const settings = [...infrastructure, ...modelSettings, ...consumeSettings, ...metricsSettings];
  return offersModel(withSettings(command, settings)).action((options: ConsumeFlags, self: Command) =>
    run(self, () => import('./action.ts'), options),
  );
}
