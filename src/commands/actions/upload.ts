/** What `upload` does: uploads, showing how far it is, and lists what was rejected. */
import { openDatabase, openStore } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { printable } from '../../lib/base/printable.ts';
import { formatBytes, Progress } from '../../lib/base/report/progress.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { upload } from '../../lib/pipeline/upload/upload.ts';
import type { Context } from '../run.ts';
import { uploader } from './uploader.ts';

export interface UploadFlags {
  include: string[];
  exclude: string[];
  followLinks?: boolean;
  prefix?: string;
  concurrency?: number;
  dryRun?: boolean;
  recheck?: boolean;
}

export default async function (context: Context, given: string[], options: UploadFlags): Promise<number> {
  const { config, interactive, say } = context;
  const paths = given.length > 0 ? given : config.imageDir === undefined ? [] : [config.imageDir];
  if (paths.length === 0)
    throw new UsageError('upload needs a file or directory', 'visionscale upload <path…>, or set IMG_DIR');
  await using database = await openDatabase(context);
  await using store = await openStore(context);
  // A directory is simply made; a bucket is not: that is for `init`, with the rights it needs.
  if (store.kind === 'file') await store.create();
  await using looking = openImagesApart(config.limits);
  using progress = new Progress({
    label: 'upload',
    unit: 'images',
    interactive,
    line: say,
  });
  const deps = uploader(context, database, store, looking);
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
      maxBytes: config.limits.maxBytes,
      ...(options.prefix !== undefined && { prefix: options.prefix }),
      ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
      dryRun: options.dryRun === true,
      recheck: options.recheck === true,
    },
  );
  progress[Symbol.dispose]();
  context.print(result, () =>
    [
      ...result.rejected.map(({ path, reason }) => `rejected  ${printable(path)}: ${printable(reason)}`),
      result.wouldUpload !== undefined
        ? `would upload ${result.wouldUpload} images`
        : `uploaded ${result.uploaded} images (${formatBytes(result.bytes)}) in ${result.seconds.toFixed(1)} s${result.replaced > 0 ? `, ${result.replaced} of them in the place of another image of the same key` : ''}`,
      `skipped ${result.skipped} that are there already, rejected ${result.rejected.length} files`,
    ].join('\n'),
  );
  if (result.interrupted) say('interrupted; run it again to go on');
  return result.interrupted || result.rejected.length > 0 ? 1 : 0;
}
