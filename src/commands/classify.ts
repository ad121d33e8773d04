/** `visionscale classify` */
import { Command } from 'commander';
import type { ClassifyFlags } from './actions/classify.ts';
import { collect, countAbove0 } from './arguments.ts';
import { modelSettings, offersModel, run, withSettings } from './run.ts';

export function classifyCommand(): Command {
  return offersModel(
    withSettings(
      new Command('classify')
        .description('the labels of the images in a directory, without database, topic or store')
        .argument('[dir]', 'directory of images, or one image (or IMG_DIR)')
        .option('--local', 'classify on this machine')
        .option(
          '--include <glob>',
          'only files whose path below the directory matches; may be repeated',
          collect,
          [],
        )
        .option('--exclude <glob>', 'not the files that match; may be repeated', collect, [])
        .option('--limit <n>', 'most files to look at', countAbove0)
        .addHelpText(
          'after',
          '\nExample:\n  $ visionscale classify ./photographs --local --model squeezenet1_1.onnx\n\n' +
            'With --json a line for each image, in the order of the paths; files that are no images are told on stderr.',
        ),
      [...modelSettings, 'VISIONSCALE_LOG_LEVEL'],
    ),
  ).action((dir: string | undefined, options: ClassifyFlags, command: Command) =>
    run(command, () => import('./actions/classify.ts'), dir, options),
  );
}
