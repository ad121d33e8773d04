/** What `status` does: asks once and prints it. */
import { openDatabase, openTopic } from '../../compose.ts';
import { table } from '../../lib/report/table.ts';
import { status } from '../../lib/status.ts';
import type { Context } from '../run.ts';

export default async function (context: Context): Promise<number> {
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  const result = await status(database.pool, topic, context.config.pipeline);
  context.print(result, () =>
    [
      `images ${result.images}, produced ${result.produced}, predictions ${result.predictions}, dead letters ${result.deadLetters}`,
      `topic ${result.topic}, pipeline ${result.pipeline}${result.model.active === null ? '' : `, model ${result.model.active}`}`,
      '',
      table(result.partitions, [
        { title: 'partition', value: (p) => p.partition, align: 'right' },
        { title: 'lag', value: (p) => p.lag, align: 'right' },
        { title: 'state', value: (p) => p.state },
        { title: 'owner', value: (p) => p.owner },
        {
          title: 'model',
          value: (p) => (p.model === null ? null : `${p.model} ${p.modelDigest?.slice(7, 15) ?? ''}`),
        },
        { title: 'why', value: (p) => p.detail },
      ]),
      ...(result.model.disagreement
        ? ['\nthe consumers do not all run the same model, or not the active one']
        : []),
      ...result.problems.map((problem) => `\nproblem: ${problem}`),
    ].join('\n'),
  );
  return result.problems.length > 0 ? 1 : 0;
}
