/** `visionscale classify` */
import { Command } from 'commander';
import { countAbove0, fileFlags, positive } from '../shared/arguments.ts';
import { modelSettings, offersModel, run, withSettings } from '../shared/run.ts';
import type { ClassifyFlags } from './action.ts';

export function classifyCommand(): Command {
  return offersModel(
    withSettings(
      fileFlags(
        new Command('classify')
          .description('Classify the images in a directory: on a server, or on this machine with --local')
          .argument('[dir]', 'Directory of images, or one image (default: IMG_DIR)')
          .option('--local', 'Classify on this machine, without server, database, topic or store'),
      )
        .option('-n, --limit <n>', 'Most files to classify', countAbove0)
        .option('--concurrency <n>', 'Images sent at a time (default: 8)', countAbove0)
        .option('--rate <n>', 'Most images per second', positive)
        .option(
          '-o, --out <file>',
          'Also write the labels to this CSV file; with --server a second run continues it',
        )
        .option('--html <file>', 'With --local: also write a page of the pictures with their labels')
        .option(
          '--again',
          'Classify again what the server has classified before; with --local replace the files of --out and --html',
        )
        .addHelpText(
          'after',
          '\nExample:\n  $ visionscale classify ./photographs --server http://127.0.0.1:8080\n' +
            '  $ visionscale classify ./photographs --local --html labels.html\n\n' +
            'With --json, prints one line per image: with --local in the order of the paths,\n' +
            'else as results arrive. Broken images go to stderr, with the number of files\n' +
            'that were passed over because of their names. The model flags are for --local:\n' +
            'a server uses its own model.',
        ),
      [
        'VISIONSCALE_SERVER',
        'VISIONSCALE_TOKEN',
        ...modelSettings,
        'VISIONSCALE_GIVE_UP_AFTER',
        'VISIONSCALE_LOG_LEVEL',
      ],
    ),
  ).action((dir: string | undefined, options: ClassifyFlags, command: Command) =>
    run(command, () => import('./action.ts'), dir, options),
  );
}
