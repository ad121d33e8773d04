/** `visionscale watch` */
import { Command, InvalidArgumentError } from 'commander';
import { durationMs } from '../../lib/base/duration.ts';
import { beltName, collect, countAbove0, strict } from '../shared/arguments.ts';
import { infrastructure, metricsSettings, run, whileStdin, withSettings } from '../shared/run.ts';
import type { WatchFlags } from './action.ts';

export function watchCommand(): Command {
  return withSettings(
    new Command('watch')
      .description(
        'Watch a folder that a camera writes to, and send each finished image to the store and the topic',
      )
      .argument('[dir]', 'Folder to watch (default: IMG_DIR)')
      .option(
        '--include <glob>',
        'Only files whose path below the folder matches; can be repeated',
        collect,
        [],
      )
      .option(
        '--exclude <glob>',
        'Skip files that match; can be repeated. Unfinished files (.*, *.tmp, *.part and the like) are always skipped',
        collect,
        [],
      )
      .option(...strict)
      .option('--prefix <folder>', 'Folder of the store to put the images into')
      .option('--belt <name>', 'Belt that the images come from; kept in the rows', beltName)
      .option('--settle <time>', 'How long a file must be unchanged (default: 200ms)', durationOf)
      .option(
        '--incomplete <time>',
        'How long to wait for a file that cannot be decoded yet (default: 10s)',
        durationOf,
      )
      .option(
        '--poll <time>',
        'Look this often instead of relying on system events: for network drives',
        durationOf,
      )
      .option('--delete-after', 'Delete files once the topic has acknowledged their keys')
      .option('--concurrency <n>', 'Images at a time (default: 4)', countAbove0)
      .addOption(whileStdin())
      .addHelpText('after', '\nExample:\n  $ visionscale watch /srv/camera-1 --belt north --delete-after'),
    [...infrastructure, ...metricsSettings, 'VISIONSCALE_PARTITIONS', 'VISIONSCALE_IMAGE_TIMEOUT'],
  ).action((dir: string | undefined, options: WatchFlags, command: Command) =>
    run(command, () => import('./action.ts'), dir, options),
  );
}

/** A length of time, in milliseconds: at least 50 ms, at most a day. */
function durationOf(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 50 || ms > 86_400_000) {
    throw new InvalidArgumentError('It must be a time such as 200ms, 5s or 1m, from 50ms to 1d.');
  }
  return ms;
}
