/** `visionscale watch` */
import { Command, InvalidArgumentError } from 'commander';
import { durationMs } from '../../lib/config/duration.ts';
import { beltName, collect, countAbove0 } from '../shared/arguments.ts';
import { infrastructure, metricsSettings, run, whileStdin, withSettings } from '../shared/run.ts';
import type { WatchFlags } from './action.ts';

export function watchCommand(): Command {
  return withSettings(
    new Command('watch')
      .description(
        'a folder that a camera writes to: each image, once it is whole, to the store and through the topic',
      )
      .argument('[dir]', 'the folder (or IMG_DIR)')
      .option(
        '--include <glob>',
        'only files whose path below the folder matches; may be repeated',
        collect,
        [],
      )
      .option(
        '--exclude <glob>',
        'not the files that match; may be repeated. Never .*, *.tmp, *.part and the like: what is not finished yet',
        collect,
        [],
      )
      .option('--prefix <folder>', 'put the keys into this folder of the store')
      .option('--belt <name>', 'belt the images come from; kept in the rows', beltName)
      .option('--settle <time>', 'how long a file has to be unchanged (default: 200ms)', durationOf)
      .option(
        '--incomplete <time>',
        'how long one that cannot be decoded is waited for (default: 10s)',
        durationOf,
      )
      .option(
        '--poll <time>',
        'look so often, instead of being told by the system: for network drives',
        durationOf,
      )
      .option('--delete-after', 'delete files whose keys the topic has acknowledged')
      .option('--concurrency <n>', 'images at a time (default: 4)', countAbove0)
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
