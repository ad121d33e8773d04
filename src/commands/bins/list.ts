/** What `bins list` does: prints the versions of the rules. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { listBinVersions } from '../../lib/systems/database/tables/bins.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const versions = await listBinVersions(database.pool, pipeline);
  context.print(versions, () =>
    versions.length === 0
      ? `pipeline ${pipeline} has no bins; put some in force: visionscale bins use <file>`
      : table(versions, [
          { title: '', value: ({ active }) => (active ? '*' : '') },
          { title: 'version', value: ({ version }) => version, align: 'right' },
          { title: 'from', value: ({ source }) => source },
          { title: 'created', value: ({ createdAt }) => createdAt.toISOString() },
          { title: 'digest', value: ({ digest }) => digest.slice(7, 19) },
        ]),
  );
}
