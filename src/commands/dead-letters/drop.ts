/** What `dead-letters drop` does: closes the selected letters, showing how far it is. */
import { openDatabase } from '../../compose.ts';
import { dropDeadLetters } from '../../lib/pipeline/dead-letters/dead-letters.ts';
import type { Context } from '../shared/run.ts';
import { letterProgress } from './progress.ts';
import { type ChosenFlags, chosenLetters } from './selection.ts';

export default async function (context: Context, ids: number[], options: ChosenFlags): Promise<number> {
  const { config, signal, say } = context;
  const selection = chosenLetters(config.pipeline, ids, options);
  await using database = await openDatabase(context);
  using progress = letterProgress(context, 'drop');
  const result = await dropDeadLetters(database.pool, {
    selection,
    signal,
    report: progress.report,
    ...(options.limit !== undefined && { limit: options.limit }),
  });
  progress[Symbol.dispose]();
  context.print(result, () =>
    result.dropped === 0
      ? 'nothing to drop: no open dead letter was selected'
      : `dropped ${result.dropped} dead letters`,
  );
  if (signal.aborted) say('interrupted; run it again to go on');
  return signal.aborted ? 1 : 0;
}
