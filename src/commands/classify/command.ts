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
          .description(
            'the labels of the images in a directory: through a server, or --local with nothing around it',
          )
          .argument('[dir]', 'directory of images, or one image (or IMG_DIR)')
          .option('--local', 'classify on this machine, without server, database, topic or store'),
      )
        .option('--limit <n>', 'most files to look at', countAbove0)
        .option('--concurrency <n>', 'images on their way to the server at a time (default: 8)', countAbove0)
        .option('--rate <n>', 'most images a second', positive)
        .option('--out <file>', 'write the labels to this CSV file too; a re-run goes on where it stopped')
        .option('--again', 'ask the server anew for images that it has classified before')
        .addHelpText(
          'after',
          '\nExample:\n  $ visionscale classify ./photographs --server http://127.0.0.1:8080 --out labels.csv\n' +
            '  $ visionscale classify ./photographs --local --model squeezenet1_1.onnx\n\n' +
            'With --json a line for each image, with --local in the order of the paths, else as they come; files that are\n' +
            'no images are told on stderr. The model is the server’s own; the flags of models go with --local.',
        ),
      ['VISIONSCALE_SERVER', 'VISIONSCALE_TOKEN', ...modelSettings, 'VISIONSCALE_LOG_LEVEL'],
    ),
  ).action((dir: string | undefined, options: ClassifyFlags, command: Command) =>
    run(command, () => import('./action.ts'), dir, options),
  );
}
