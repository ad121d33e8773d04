/** `visionscale upload` */
import { Command } from 'commander';
import type { UploadFlags } from './actions/upload.ts';
import { collect, countAbove0, followLinks } from './shared/arguments.ts';
import { infrastructure, run, withSettings } from './shared/run.ts';

export function uploadCommand(): Command {
  return withSettings(
    new Command('upload')
      .description('images to the object store, their keys to the database; what is there already is skipped')
      .argument('[path...]', 'files and directories (or IMG_DIR)')
      .option(
        '--include <glob>',
        'only files whose path below the directory matches; may be repeated',
        collect,
        [],
      )
      .option('--exclude <glob>', 'not the files that match; may be repeated', collect, [])
      .option(...followLinks)
      .option('--prefix <folder>', 'put the keys into this folder of the store')
      .option('--concurrency <n>', 'images at a time (default: 8)', countAbove0)
      .option('--dry-run', 'look and tell, write nothing')
      .option('--recheck', 'also ask the store whether what would be skipped is still there')
      .addHelpText('after', "\nExample:\n  $ visionscale upload ./photographs --exclude '**/thumbnails/**'"),
    [...infrastructure, 'VISIONSCALE_IMAGE_TIMEOUT'],
  ).action((paths: string[], options: UploadFlags, command: Command) =>
    run(command, () => import('./actions/upload.ts'), paths, options),
  );
}
