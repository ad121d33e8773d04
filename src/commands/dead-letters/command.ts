/** `visionscale dead-letters …` */
import { Command, Option } from 'commander';
import { countAbove0, wholeNumber } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AddLetterFlags } from './add.ts';
import { letterReason, offsetNumber, rowId, rowIds } from './arguments.ts';
import type { ListFlags } from './list.ts';
import type { ChosenFlags } from './selection.ts';

export function deadLettersCommand(): Command {
  const parent = new Command('dead-letters')
    .description('List, retry and drop what could not be classified, or move a message there')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale dead-letters list\n  $ visionscale dead-letters retry --code not_found',
    );
  for (const part of [list(), show(), retry(), drop(), add()]) parent.addCommand(part.exitOverride());
  return parent;
}

function list(): Command {
  const states = ['open', 'resolved', 'dropped', 'all'];
  const command = filters(new Command('list').description('List dead letters, latest first'))
    .addOption(new Option('--state <state>', 'Only in this state').choices(states).default('open'))
    .option('-n, --limit <n>', 'Most dead letters', countAbove0, 20)
    .addOption(
      new Option(
        '-f, --follow',
        'Print each new dead letter as it is made, until Ctrl-C; with --json one document a line',
      ).conflicts(['state', 'since', 'until', 'limit']),
    )
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale dead-letters list --code not_found --since 1h\n  $ visionscale dead-letters list --follow',
    );
  return withSettings(command, infrastructure).action((ids: number[], options: ListFlags, command: Command) =>
    run(command, () => import('./list.ts'), ids, options),
  );
}

function show(): Command {
  const command = new Command('show')
    .description('Show all about a dead letter, including its message')
    .argument('<id>', 'Id as dead-letters list shows it', rowId)
    .addHelpText('after', '\nExample:\n  $ visionscale dead-letters show 17');
  return withSettings(command, infrastructure).action((id: number, _options, command: Command) =>
    run(command, () => import('./show.ts'), id),
  );
}

function retry(): Command {
  const command = chosen(
    new Command('retry').description(
      'Send open dead letters through the topic again, once their cause is repaired',
    ),
  ).addHelpText(
    'after',
    '\nExample:\n  $ visionscale dead-letters retry --code not_found\n\n' +
      'A retry counts once, however often it is sent; what fails again stays open with\none attempt more.',
  );
  return withSettings(command, infrastructure).action(
    (ids: number[], options: ChosenFlags, command: Command) =>
      run(command, () => import('./retry.ts'), ids, options),
  );
}

function drop(): Command {
  const command = chosen(
    new Command('drop').description('Close open dead letters for good; their images get no prediction'),
  )
    .option('-y, --yes', 'Do not ask before --all')
    .addHelpText('after', '\nExample:\n  $ visionscale dead-letters drop 17 18');
  return withSettings(command, infrastructure).action(
    (ids: number[], options: ChosenFlags, command: Command) =>
      run(command, () => import('./drop.ts'), ids, options),
  );
}

function add(): Command {
  const command = new Command('add')
    .description('Turn a message that blocks its partition into a dead letter')
    .requiredOption('-p, --partition <n>', 'Partition of the message', wholeNumber)
    .requiredOption('--offset <n>', 'Offset of the message, as status and the log show it', offsetNumber)
    .option('--reason <text>', 'Why, for whoever reads the dead letter', letterReason)
    .option('-y, --yes', 'Do not ask for confirmation')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale dead-letters add --partition 2 --offset 4711 --reason "it hangs"\n\n' +
        'Consumers need not be stopped: the one that works on the message passes over it.\n' +
        'dead-letters retry sends it once more. Exit code 1 if there is no such\n' +
        'message or it is recorded already.',
    );
  const settings = [...infrastructure, 'VISIONSCALE_RESULTS_TOPIC', 'VISIONSCALE_MESSAGE_REQUESTS'] as const;
  return withSettings(command, settings).action((options: AddLetterFlags, command: Command) =>
    run(command, () => import('./add.ts'), options),
  );
}

function filters(command: Command): Command {
  return command
    .argument('[id...]', 'Ids of dead letters', rowIds)
    .option('--code <code>', 'Only with this error code, such as not_found')
    .addOption(
      new Option('--stage <stage>', 'Only those that failed at this stage').choices([
        'read',
        'fetch',
        'classify',
        'record',
      ]),
    )
    .option('--since <when>', 'Only those that last failed since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'Only those that last failed before then');
}

/** For what changes letters: nothing is selected by default. */
function chosen(command: Command): Command {
  return filters(command)
    .addOption(new Option('--all', 'All open dead letters').conflicts(['code', 'stage', 'since', 'until']))
    .option('-n, --limit <n>', 'Most dead letters', countAbove0);
}
