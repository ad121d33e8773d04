/** What `classify` does: through a server, or on this machine. The client of a server, or what offers a model, is loaded only where it is needed. */
import { openClassifier } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { counted } from '../../lib/base/report/table.ts';
import { type ClassifiedImage, classify } from '../../lib/local/classify/classify.ts';
import type { Context } from '../shared/run.ts';
import { ShownLabels } from './labels.ts';

export interface ClassifyFlags {
  local?: boolean;
  include: string[];
  exclude: string[];
  followLinks?: boolean;
  strict?: boolean;
  limit?: number;
  concurrency?: number;
  rate?: number;
  out?: string;
  html?: string;
  again?: boolean;
}

export default async function (
  context: Context,
  given: string | undefined,
  flags: ClassifyFlags,
): Promise<number> {
  const { config } = context;
  const path = given ?? config.imageDir;
  if (path === undefined) {
    throw new UsageError(
      'classify needs a directory of images',
      'visionscale classify <dir> --server <url>, or --local --model <file.onnx>; or set IMG_DIR',
    );
  }
  if (flags.local === true) {
    const only = (['rate', 'concurrency'] as const).find((name) => flags[name] !== undefined);
    if (only !== undefined) throw new UsageError(`--${only} goes with --server, not with --local`);
    return classifyHere(context, path, flags);
  }
  if (config.remote.server === undefined) {
    throw new UsageError(
      'choose where to classify: --server <url> or --local',
      'VISIONSCALE_SERVER also names a server; --local classifies on this machine.',
    );
  }
  if (flags.html !== undefined) throw new UsageError('--html goes with --local, not with --server');
  const remote = await import('./remote.ts');
  return remote.default(context, path, config.remote.server, flags);
}

/** In the order of the paths. */
async function classifyHere(context: Context, path: string, flags: ClassifyFlags): Promise<number> {
  const { config, say, signal } = context;
  const { out, html, again = false } = flags;
  if (again && out === undefined && html === undefined)
    throw new UsageError('with --local, --again is for --out and --html: it replaces the file');
  await checkPaths([path]);
  const { requireNewFile, writeLabels } = await import('../../lib/local/classify/labels-file.ts');
  for (const file of [out, html]) if (file !== undefined) await requireNewFile(file, again);
  const { ensureModel } = await import('../../lib/models/pull/offer.ts');
  await ensureModel(context);
  const options = { ...flags, path, maxBytes: config.limits.maxBytes, signal };
  await using classifier = await openClassifier(context);
  using shown = new ShownLabels<ClassifiedImage>(context, options);
  const rows: ClassifiedImage[] = [];
  const files = new Map<string, string>();
  for await (const outcome of classify(classifier, options)) {
    if (outcome.kind === 'classified' && (out !== undefined || html !== undefined)) {
      rows.push(outcome.result);
      files.set(outcome.result.image, outcome.file);
    }
    await shown.hear(outcome);
  }
  await shown.end();
  if (out !== undefined) await writeLabels(out, rows);
  if (html !== undefined) await writePage(context, html, rows, files);
  const { classified, rejected, seconds } = shown;
  const rate = classified > 0 ? ` (${(classified / seconds).toFixed(1)} images/s)` : '';
  say(
    `classified ${counted(classified, 'image')} in ${seconds.toFixed(1)} s${rate}, rejected ${counted(rejected, 'file')}${out === undefined ? '' : `; labels in ${out}`}${html === undefined ? '' : `; page: ${html}`}`,
  );
  if (shown.passedOver !== '') say(shown.passedOver);
  if (signal.aborted) say('interrupted');
  return signal.aborted || rejected > 0 ? 1 : 0;
}

/** `files`: where each image is. */
async function writePage(
  { config, onNotice }: Context,
  file: string,
  rows: readonly ClassifiedImage[],
  files: ReadonlyMap<string, string>,
): Promise<void> {
  const [{ pictureSide, writePicturePage }, { openImagesApart }, { readImageFile }] = await Promise.all([
    import('../../lib/local/page.ts'),
    import('../../lib/models/images/apart.ts'),
    import('../../lib/base/files/read-file.ts'),
  ]);
  await using looking = openImagesApart(config.limits, onNotice);
  const content = {
    title: `${counted(rows.length, 'image')} classified`,
    summary: rows.length === 0 ? [] : [`by ${rows[0]!.model}`],
    pictures: rows.map(({ image, category, confidence, novelty }) => ({
      name: image,
      category,
      confidence,
      novelty,
    })),
  };
  await writePicturePage(file, content, async ({ name }) =>
    looking.thumbnail(await readImageFile(files.get(name)!, config.limits.maxBytes), pictureSide),
  );
}
