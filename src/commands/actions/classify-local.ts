/** What `classify --local` does: prints a line for each image, and the bad files at the end. */
import { openClassifier } from '../../compose.ts';
import { checkPaths, type Rejection } from '../../lib/base/files/walk.ts';
import { printable } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { table } from '../../lib/base/report/table.ts';
import { type ClassifiedImage, classify, countFiles } from '../../lib/local/classify/classify.ts';
import { ensureModel } from '../../lib/models/pull/offer.ts';
import type { Context } from '../run.ts';
import { writeJsonLine, writeLine } from '../write-line.ts';
import type { ClassifyFlags } from './classify.ts';

export default async function (context: Context, path: string, flags: ClassifyFlags): Promise<number> {
  const { config, interactive, json, say, signal } = context;
  await checkPaths([path]);
  await ensureModel(context);
  const options = { ...flags, path, maxBytes: config.limits.maxBytes, signal };
  await using classifier = await openClassifier(context);
  using progress = new Progress({ label: 'classify', unit: 'files', interactive, line: say });
  // Beside the work: what cannot be walked is told by the work itself.
  void countFiles(options).then(
    (files) => files !== undefined && progress.expect(files),
    () => undefined,
  );
  const began = performance.now();
  const rows: ClassifiedImage[] = [];
  const rejected: Rejection[] = [];
  let classified = 0;
  for await (const outcome of classify(classifier, options)) {
    progress.advance(1);
    if (outcome.kind === 'rejected') {
      rejected.push(outcome.rejection);
      continue;
    }
    classified++;
    if (json) await writeJsonLine(outcome.result);
    else rows.push(outcome.result);
  }
  progress[Symbol.dispose]();
  if (rows.length > 0) await writeLine(resultTable(rows));
  const lines = rejected.map((r) => `rejected  ${printable(r.path)}: ${printable(r.reason)}`);
  if (json) lines.forEach(say);
  else if (lines.length > 0) await writeLine(lines.join('\n'));
  const seconds = (performance.now() - began) / 1000;
  const rate = classified > 0 ? ` (${(classified / seconds).toFixed(1)} images/s)` : '';
  say(`classified ${classified} images in ${seconds.toFixed(1)} s${rate}, rejected ${rejected.length} files`);
  if (signal.aborted) say('interrupted');
  return signal.aborted || rejected.length > 0 ? 1 : 0;
}

function resultTable(rows: readonly ClassifiedImage[]): string {
  return table(rows, [
    { title: 'image', value: (r) => r.image },
    { title: 'category', value: (r) => r.category },
    { title: '%', value: (r) => r.confidence.toFixed(1), align: 'right' },
  ]);
}
