/** `visionscale init` */
import { Command } from 'commander';
import { infrastructure, run, withSettings } from './shared/run.ts';

export function initCommand(): Command {
  return withSettings(
    new Command('init')
      .description('set up the database, the topic and the object store; safe to run again, from any host')
      .addHelpText(
        'after',
        '\nExample:\n  $ DATABASE_URL=postgres://user:password@db/my_db KAFKA_BROKERS=kafka:9092 \\\n    VISIONSCALE_STORE=s3://belt-images visionscale init',
      ),
    [...infrastructure, 'VISIONSCALE_PARTITIONS'],
  ).action((_options, command: Command) => run(command, () => import('./actions/init.ts')));
}
