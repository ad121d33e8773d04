/** `visionscale init`: sets everything up and says what was there already. */
import { Command } from 'commander';
import { counted } from '../lib/base/report/table.ts';
import { openers } from './shared/opening.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

export function initCommand(): Command {
  return withSettings(
    new Command('init')
      .description('Set up the database, the topic and the object store; safe to run again, from any host')
      .addHelpText(
        'after',
        '\nExample:\n  $ DATABASE_URL=postgres://user:password@db/my_db KAFKA_BROKERS=kafka:9092 \\\n    VISIONSCALE_STORE=s3://belt-images visionscale init',
      ),
    [...infrastructure, 'VISIONSCALE_PARTITIONS'],
  ).action((_options, command: Command) => runHere(command, setUp));
}

async function setUp(context: Context): Promise<void> {
  const { init } = await import('../lib/pipeline/init.ts');
  const result = await init(context.config, openers(context));
  context.print(result, () =>
    [
      `database  ${result.database.where}: ${done(result.database.created)}, ${migrations(result.database.applied)}`,
      ...[result.topic, ...result.resultTopics].map(
        ({ name, created, partitions }) =>
          `topic     ${name}: ${done(created)}, ${counted(partitions, 'partition')}`,
      ),
      `store     ${result.store.url}: ${done(result.store.created)}`,
      ...result.warnings.map((warning) => `warning   ${warning}`),
    ].join('\n'),
  );
}

function done(created: boolean): string {
  return created ? 'created' : 'already there';
}

function migrations(applied: string[]): string {
  return applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`;
}
