/** `visionscale init`: sets everything up and says what was there already. */
import { Command } from 'commander';
import { counted } from '../lib/base/report/table.ts';
import { openers } from './shared/opening.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

interface InitFlags {
  roles?: string | true;
}

export function initCommand(): Command {
  return withSettings(
    new Command('init')
      .description('Set up the database, the topic and the object store; safe to run again, from any host')
      .option(
        '--roles [prefix]',
        'Also make SQL roles that may do no more than producers, consumers, readers and operators need; prefix: what their names begin with (default: visionscale_<database>, and the schema if it is not public)',
      )
      .addHelpText(
        'after',
        '\nExample:\n  $ DATABASE_URL=postgres://user:password@db/my_db KAFKA_BROKERS=kafka:9092 \\\n    VISIONSCALE_STORE=s3://belt-images visionscale init',
      ),
    [...infrastructure, 'VISIONSCALE_PARTITIONS'],
  ).action((options: InitFlags, command: Command) => runHere(command, setUp, options));
}

async function setUp(context: Context, { roles }: InitFlags): Promise<void> {
  const { init } = await import('../lib/pipeline/init.ts');
  const result = await init(context.config, openers(context), { roles });
  context.print(result, () =>
    [
      `database  ${result.database.where}: ${done(result.database.created)}, ${migrations(result.database.applied)}`,
      ...[result.topic, ...result.resultTopics].map(
        ({ name, created, partitions }) =>
          `topic     ${name}: ${done(created)}, ${counted(partitions, 'partition')}`,
      ),
      `store     ${result.store.url}: ${done(result.store.created)}`,
      ...result.roles.map(
        ({ name, created }) => `role      ${name}: ${created ? 'created' : 'rights up to date'}`,
      ),
      ...result.warnings.map((warning) => `warning   ${warning}`),
      ...(roles === undefined ? [] : nextSteps(result.roles)),
    ].join('\n'),
  );
}

/** Passwords are not ours to make. */
function nextSteps(roles: readonly { role: string; name: string }[]): string[] {
  const consumer = roles.find(({ role }) => role === 'consumer')?.name ?? '';
  return [
    'next      a login for each host, made by an administrator; for one that runs consume:',
    `            CREATE ROLE belt1 LOGIN PASSWORD '…';`,
    `            GRANT ${quoted(consumer)} TO belt1;`,
  ];
}

/** As SQL needs it. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function done(created: boolean): string {
  return created ? 'created' : 'already there';
}

function migrations(applied: string[]): string {
  return applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`;
}
