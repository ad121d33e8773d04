/** What `produce` does: sends the keys, showing how far it is. */
import { openDatabase, openTopic } from '../../compose.ts';
import { partitionWarning } from '../../lib/init.ts';
import { produce, type ProduceResult } from '../../lib/produce.ts';
import { Progress } from '../../lib/report/progress.ts';
import type { Context } from '../run.ts';

export interface ProduceFlags {
  again?: boolean;
  limit?: number;
  rate?: number;
  belt?: string;
}

export default async function (context: Context, options: ProduceFlags): Promise<number> {
  const { say, config, interactive, signal } = context;
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  using progress = new Progress({
    label: 'produce',
    unit: 'keys',
    interactive,
    line: say,
  });
  const result = await produce(
    {
      pool: database.pool,
      topic,
      report(event) {
        switch (event.kind) {
          case 'topic':
            if (event.created) say(`created topic ${event.name} with ${event.partitions} partitions`);
            partitionWarning(event.name, event, event.wanted).forEach(say);
            break;
          case 'round':
            say(`${event.resumed ? 'finishing' : 'opened'} a round of ${event.images} images`);
            break;
          case 'pending':
            progress.expect(event.images);
            break;
          case 'waiting':
            say(`waiting: ${event.reason}`);
            break;
          case 'produced':
            progress.advance(event.images);
            break;
        }
      },
    },
    {
      again: options.again === true,
      partitions: config.topic.partitions,
      signal,
      ...(options.limit !== undefined && { limit: options.limit }),
      ...(options.rate !== undefined && { rate: options.rate }),
      ...(options.belt !== undefined && { belt: options.belt }),
    },
  );
  progress[Symbol.dispose]();
  context.print(result, () => summary(result, signal.aborted));
  if (signal.aborted) say('interrupted; run it again to go on');
  return signal.aborted ? 1 : 0;
}

function summary(result: ProduceResult, interrupted: boolean): string {
  if (result.produced === 0 && !interrupted) {
    return result.images === 0
      ? 'nothing to produce: no image has been uploaded'
      : 'nothing to produce: every image has been produced in its round (--again sends all once more)';
  }
  const left = result.left > 0 ? `; ${result.left} are left` : '';
  return `produced ${result.produced} keys to ${result.topic} (partitions ${result.partitions.join(', ')}) in ${result.seconds.toFixed(1)} s${left}`;
}
