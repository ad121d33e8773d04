/** What `dead-letters retry` does: sends the selected letters once more, showing how far it is. */
import { openDatabase, openTopic } from '../../compose.ts';
import { counted } from '../../lib/base/report/table.ts';
import { retryDeadLetters } from '../../lib/pipeline/dead-letters/dead-letters.ts';
import type { Context } from '../shared/run.ts';
import { letterProgress } from './progress.ts';
import { type ChosenFlags, chosenLetters, requireCode } from './selection.ts';

export default async function (context: Context, ids: number[], options: ChosenFlags): Promise<number> {
  const { config, signal, say } = context;
  const selection = chosenLetters(config.pipeline, ids, options);
  await using database = await openDatabase(context);
  await requireCode(database.pool, selection);
  await using topic = await openTopic(context, database);
  using progress = letterProgress(context, 'retry');
  const result = await retryDeadLetters(database.pool, topic, {
    selection,
    signal,
    giveUpAfterMs: config.giveUpAfterMs,
    report: progress.report,
    ...(options.limit !== undefined && { limit: options.limit }),
  });
  progress[Symbol.dispose]();
  context.print(result, () =>
    result.retried === 0
      ? 'nothing to retry: no open dead letter was selected'
      : `sent ${counted(result.retried, 'dead letter')} to ${result.topic} again; dead-letters list shows what fails again`,
  );
  if (signal.aborted) say('interrupted; run it again to continue');
  return signal.aborted || result.refused > 0 ? 1 : 0;
}
