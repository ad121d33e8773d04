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
      'classify what a partition brings; without --partition or --group the first that nobody owns, else stand by',
    )
    .addOption(new Option('--partition <n>', 'own this partition').argParser(wholeNumber).conflicts('group'))
    .option('--group', 'share all partitions with every other --group consumer')
    .option('--until-drained', 'stop when caught up with the end as it was at the start')
    .option('--skip-expired', 'go on where the topic deleted messages before they were read')
    .addOption(whileStdin())
    .addHelpText('after', '\nExample:\n  $ visionscale consume --partition 0 --model squeezenet1_1.onnx');
  const settings = [...infrastructure, ...modelSettings, ...consumeSettings, ...metricsSettings];
  return offersModel(withSettings(command, settings)).action((options: ConsumeFlags, self: Command) =>
    run(self, () => import('./action.ts'), options),
  );
}
