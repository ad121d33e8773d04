/** `visionscale demo` */
import { Command } from 'commander';
import { infrastructure, modelSettings, offersModel, run, withSettings } from '../shared/run.ts';

export function demoCommand(): Command {
  return offersModel(
    withSettings(
      new Command('demo')
        .description(
          'Run the whole pipeline once on this machine: upload, producer, one consumer per partition, report',
        )
        .argument('[dir]', 'Directory of images (default: IMG_DIR, or drawn images)')
        .addHelpText(
          'after',
          '\nExample:\n  $ visionscale demo ./photographs --model squeezenet1_1.onnx\n\n' +
            'Everything is embedded (PostgreSQL, the topic and the images live in the data\n' +
            'directory), except what the settings name (Kafka, a database, a bucket). If\n' +
            'another demo or up runs in the data directory, it uses demo-2 in it (demo-3, …).',
        ),
      [...infrastructure, ...modelSettings, 'VISIONSCALE_PARTITIONS'],
    ),
  ).action((dir: string | undefined, _options, command: Command) =>
    run(command, () => import('./action.ts'), dir),
  );
}
