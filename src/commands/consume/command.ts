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
      'Classify images from one partition (default: the first free one; otherwise wait as standby)',
    )
    .addOption(
      new Option('-p, --partition <n>', 'Partition to consume').argParser(wholeNumber).conflicts('group'),
    )
    .option('--group', 'Share all partitions with the other --group consumers')
    .option('--until-drained', 'Stop after the messages that were there at the start')
    .option('--skip-expired', 'Skip messages that the topic deleted before they were read')
    .addOption(whileStdin())
    .addHelpText('after', '\nExample:\n  $ visionscale consume --partition 0 --model squeezenet1_1.onnx');
  const settings = [...infrastructure, ...modelSettings, ...consumeSettings, ...metricsSettings];
  return offersModel(withSettings(command, settings)).action((options: ConsumeFlags, self: Command) =>
    run(self, () => import('./action.ts'), options),
  );
}
