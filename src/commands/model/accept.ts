/** What `model accept` does: belts are as they should be, and what their next images show is what they are compared with. */
import { openDatabase } from '../../compose.ts';
import { counted } from '../../lib/base/report/table.ts';
import { forgetReferences } from '../../lib/systems/database/tables/belt-references.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context, { belt }: { belt?: string }): Promise<void> {
  await using database = await openDatabase(context);
  const forgotten = await forgetReferences(database.pool, context.config.pipeline, belt ?? null);
  context.print({ forgotten }, () =>
    forgotten === 0
      ? `Nothing to forget: ${belt === undefined ? 'no belt' : `belt ${belt}`} has shown enough images yet.`
      : `Forgot how ${counted(forgotten, 'belt')} looked; the next 500 images of each belt say it anew.`,
  );
}
