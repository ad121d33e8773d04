/** What `dead-letters drop` does: closes the selected letters, showing how far it is. */
import type { Pool } from 'pg';
import { openDatabase } from '../../compose.ts';
import { counted } from '../../lib/base/report/table.ts';
import { dropDeadLetters } from '../../lib/pipeline/dead-letters/dead-letters.ts';
import { countLetters } from '../../lib/systems/database/tables/dead-letters.ts';
import { confirmed, nothingChanged } from '../shared/confirm.ts';
import type { Context } from '../shared/run.ts';
import { letterProgress } from './progress.ts';
import { type ChosenFlags, chosenLetters, requireCode } from './selection.ts';

export default async function (context: Context, ids: number[], options: ChosenFlags): Promise<number> {
  const { config, signal, say } = context;
  const selection = chosenLetters(config.pipeline, ids, options);
  await using database = await openDatabase(context);
  await requireCode(database.pool, selection);
  if (options.all && !(await agreed(context, database.pool, options.limit))) {
    say(nothingChanged);
    return 1;
  }
  using progress = letterProgress(context, 'drop');
  const result = await dropDeadLetters(database.pool, {
    selection,
    signal,
    giveUpAfterMs: config.giveUpAfterMs,
    report: progress.report,
    ...(options.limit !== undefined && { limit: options.limit }),
  });
  progress[Symbol.dispose]();
  context.print(result, () =>
    result.dropped === 0
      ? 'nothing to drop: no open dead letter was selected'
      : `dropped ${counted(result.dropped, 'dead letter')}`,
  );
  if (signal.aborted) say('interrupted; run it again to continue');
  return signal.aborted ? 1 : 0;
}

/** Nothing reopens what was dropped, so everything is not dropped by a slip of the pen. */
async function agreed(context: Context, pool: Pool, limit = Infinity): Promise<boolean> {
  const { pipeline } = context.config;
  const { letters } = await countLetters(pool, { pipeline, state: 'open' });
  const what = `${counted(Math.min(letters, limit), 'open dead letter')} of pipeline ${pipeline}`;
  return letters === 0 || confirmed(context, `drop --all closes ${what} for good`, `Close ${what} for good?`);
}
