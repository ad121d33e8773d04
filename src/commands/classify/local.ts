/** What `classify --local` does: classifies on this machine, in the order of the paths. */
import { openClassifier } from '../../compose.ts';
import { checkPaths } from '../../lib/base/files/walk.ts';
import { type ClassifiedImage, classify } from '../../lib/local/classify/classify.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import type { Context } from '../shared/run.ts';
import type { ClassifyFlags } from './action.ts';
import { ShownLabels } from './labels.ts';

export default async function (context: Context, path: string, flags: ClassifyFlags): Promise<number> {
  const { config, say, signal } = context;
  await checkPaths([path]);
  await ensureModel(context);
  const options = { ...flags, path, maxBytes: config.limits.maxBytes, signal };
  await using classifier = await openClassifier(context);
  using shown = new ShownLabels<ClassifiedImage>(context, options);
  for await (const outcome of classify(classifier, options)) await shown.hear(outcome);
  await shown.end();
  const { classified, rejected, seconds } = shown;
  const rate = classified > 0 ? ` (${(classified / seconds).toFixed(1)} images/s)` : '';
  say(`classified ${classified} images in ${seconds.toFixed(1)} s${rate}, rejected ${rejected} files`);
  if (signal.aborted) say('interrupted');
  return signal.aborted || rejected > 0 ? 1 : 0;
}
