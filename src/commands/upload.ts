/** `visionscale upload`: uploads, showing how far it is, and lists what was rejected. */
import { Command } from 'commander';
import { openDatabase } from '../compose.ts';
import { UsageError } from '../lib/base/errors.ts';
import { passedOverLine } from '../lib/base/files/image-names.ts';
import { counted, formatBytes } from '../lib/base/report/table.ts';
import { usableCores } from '../lib/base/sandbox/parallelism.ts';
import { countAbove0, fileFlags } from './shared/arguments.ts';
import { rejectedLine } from './shared/lines.ts';
import { openReadyStore } from './shared/opening.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

interface UploadFlags {
  include: string[];
  exclude: string[];
  followLinks?: boolean;
  strict?: boolean;
  prefix?: string;
  concurrency?: number;
  verify?: boolean;
  dryRun?: boolean;
  recheck?: boolean;
}

export function uploadCommand(): Command {
  return withSettings(
    fileFlags(
      new Command('upload')
        .description(
          'Put images into the object store and their keys into the database; skip what is there already',
        )
        .argument('[path...]', 'Files and directories (default: IMG_DIR)'),
    )
      .option('--prefix <folder>', 'Folder of the store to put the images into')
      .option('--verify', 'Decode every image to its last pixel, instead of checking that its file is whole')
      .option(
        '--concurrency <n>',
        'Images at a time (default: 16; with --verify two a core, if more)',
        countAbove0,
      )
      .option('--dry-run', 'Show what would be done, and write nothing')
      .option('--recheck', 'Also check that the store still has what would be skipped')
      .addHelpText('after', "\nExample:\n  $ visionscale upload ./photographs --exclude '**/thumbnails/**'"),
    [...infrastructure, 'VISIONSCALE_IMAGE_TIMEOUT'],
  ).action((paths: string[], options: UploadFlags, command: Command) =>
    runHere(command, uploadAll, paths, options),
  );
}

/** Loaded when it runs. */
const heavy = () =>
  Promise.all([
    import('../lib/base/report/progress.ts'),
    import('../lib/models/images/apart.ts'),
    import('../lib/pipeline/upload/upload.ts'),
    import('./shared/uploader.ts'),
  ]);

async function uploadAll(context: Context, given: string[], options: UploadFlags): Promise<number> {
  const { config, interactive, say } = context;
  const paths = given.length > 0 ? given : config.imageDir === undefined ? [] : [config.imageDir];
  if (paths.length === 0)
    throw new UsageError('upload needs a file or directory', 'visionscale upload <path…>, or set IMG_DIR');
  const [{ Progress }, { openImagesApart }, { upload }, { uploader }] = await heavy();
  await using database = await openDatabase(context);
  await using store = await openReadyStore(context);
  await using looking = openImagesApart(config.limits);
  using progress = new Progress({ label: 'upload', unit: 'images', interactive, line: say });
  const verify = options.verify === true;
  const check = (bytes: Buffer) => (verify ? looking.check(bytes) : looking.structure(bytes));
  // One in work and one on its way to each process.
  const concurrency = options.concurrency ?? (verify ? Math.max(16, 2 * usableCores()) : undefined);
  const deps = uploader(context, database, store, check);
  const result = await upload(
    {
      ...deps,
      report(event) {
        deps.report(event);
        if (event.kind === 'found') progress.expect(event.files);
        else if (event.kind !== 'waiting') progress.advance(1, 'bytes' in event ? event.bytes : 0);
      },
    },
    {
      paths,
      include: options.include,
      exclude: options.exclude,
      followLinks: options.followLinks === true,
      strict: options.strict === true,
      maxBytes: config.limits.maxBytes,
      giveUpAfterMs: config.giveUpAfterMs,
      ...(options.prefix !== undefined && { prefix: options.prefix }),
      ...(concurrency !== undefined && { concurrency }),
      dryRun: options.dryRun === true,
      recheck: options.recheck === true,
    },
  );
  progress[Symbol.dispose]();
  context.print(result, () =>
    [
      ...result.rejected.map(rejectedLine),
      result.wouldUpload !== undefined
        ? `would upload ${counted(result.wouldUpload, 'image')}`
        : `uploaded ${counted(result.uploaded, 'image')} (${formatBytes(result.bytes)}) in ${result.seconds.toFixed(1)} s${result.replaced > 0 ? `, ${result.replaced} of them replacing another image with the same key` : ''}`,
      `skipped ${result.skipped} that were already there, rejected ${counted(result.rejected.length, 'file')}`,
      ...(result.passedOver > 0 ? [passedOverLine(result)] : []),
    ].join('\n'),
  );
  if (result.interrupted) say('interrupted; run it again to continue');
  return result.interrupted || result.rejected.length > 0 ? 1 : 0;
}
