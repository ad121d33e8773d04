/** What commands that judge models on labelled folders show: how far they are, then the files that could not be used. */
import { type PassedOver, passedOverLine } from '../../lib/base/files/image-names.ts';
import type { Rejection } from '../../lib/base/files/walk.ts';
import { printable } from '../../lib/base/printable.ts';
import type { JudgeEvent } from '../../lib/learning/evaluate/evaluate.ts';
import { rejectedLine } from './lines.ts';
import type { Context } from './run.ts';
import { StageBars } from './stage-bars.ts';

/** `doing`: the stage in which they judge. */
export async function judged<T extends { unreadable: readonly Rejection[]; passedOver: PassedOver }>(
  context: Pick<Context, 'interactive' | 'say'>,
  doing: string,
  judge: (report: (event: JudgeEvent) => void) => Promise<T>,
): Promise<T> {
  const { say } = context;
  using bars = new StageBars(context);
  const stages = { grouping: 'group', judging: doing, 'judging unknown': `${doing} unknown` };
  const reach = (stage: string, done: number, total: number) => {
    if (bars.label !== stage) bars.begin(stage, 'images', total);
    bars.reach(done, total);
  };
  const found = await judge((event) => {
    if (event.kind === 'left out') {
      say(printable(`left out: ${event.model} has no label for ${event.folders.join(', ')}`));
    } else if (event.kind === 'reading') reach('read', event.files, event.files);
    else reach(stages[event.kind], event.done, event.images);
  });
  bars.end();
  for (const rejection of found.unreadable) say(rejectedLine(rejection));
  if (found.passedOver.passedOver > 0) say(passedOverLine(found.passedOver));
  return found;
}
