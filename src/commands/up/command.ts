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
          'Everything is embedded, in the data directory, except what the settings name\n' +
          '(Kafka, a database, a bucket). If no model is chosen, the bundled one is used.\n' +
          'It refuses a data directory in which another up or a demo runs.\n' +
          'A process that dies or hangs is restarted. Ctrl-C drains and stops everything.\n' +
          'With --metrics-port the first consumer shows its metrics there, and the others\n' +
          'at the ports that follow.',
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
