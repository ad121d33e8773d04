/** `visionscale up` */
import { Command, Option } from 'commander';
import {
  consumeSettings,
  infrastructure,
  metricsSettings,
  modelSettings,
  run,
  withSettings,
} from '../shared/run.ts';
import type { UpFlags } from './action.ts';

export function upCommand(): Command {
  return withSettings(
    new Command('up')
      .description('Run the pipeline on this machine until stopped: serve and one consumer per partition')
      .addOption(
        new Option('--print-env', 'Print the settings that connect other commands to it').conflicts('stop'),
      )
      .option('--stop', 'Stop it, and wait until it has drained')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale up\n\n' +
          'and in another terminal:\n' +
          '  $ eval "$(visionscale up --print-env)"\n' +
          '  $ visionscale upload ./photographs && visionscale produce\n  $ visionscale results\n\n' +
          'Without settings all of it is embedded, in the data directory; what the settings name (Kafka, a database,\n' +
          'a bucket) is used instead. Where no model is chosen it takes the one that comes with visionscale.\n' +
          'A process that dies is started again. Ctrl-C drains and stops all of it. With --metrics-port the first consumer\n' +
          'shows its metrics there, and the others at the ports that follow.',
      ),
    [
      ...infrastructure,
      ...modelSettings,
      ...consumeSettings,
      ...metricsSettings,
      'VISIONSCALE_PARTITIONS',
      'VISIONSCALE_HTTP_HOST',
      'VISIONSCALE_HTTP_PORT',
    ],
  ).action((options: UpFlags, command: Command) => run(command, () => import('./action.ts'), options));
}
