/** What `bins history` does: tells who changed the bins, when, and from where. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { listSwitches } from '../../lib/systems/database/tables/switches.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context, { limit }: { limit: number }): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const rows = await listSwitches(database.pool, pipeline, 'bins', limit);
  const switches = rows.map(({ at, former, current, account, host }) => ({
    at,
    former: former === null ? null : Number(former),
    current: Number(current),
    account,
    host,
  }));
  context.print(switches, () =>
    switches.length === 0
      ? `Pipeline ${pipeline} has no bins yet: visionscale bins use <file>`
      : table(switches, [
          { title: 'when', value: ({ at }) => at.toISOString() },
          { title: 'from', value: ({ former }) => former, align: 'right' },
          { title: 'to', value: ({ current }) => current, align: 'right' },
          { title: 'by', value: ({ account, host }) => `${account} on ${host}` },
        ]),
  );
}
