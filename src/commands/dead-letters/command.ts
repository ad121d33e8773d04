/** `visionscale dead-letters …` */
import { Command, Option } from 'commander';
import { countAbove0, wholeNumber } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AddFlags } from './add.ts';
import { letterReason, offsetNumber, rowId, rowIds } from './arguments.ts';
import type { ListFlags } from './list.ts';
import type { ChosenFlags } from './selection.ts';

export function deadLettersCommand(): Command {
  const parent = new Command('dead-letters')
    .description(
      'what could not be classified: look at it, send it once more, drop it; or move a message there',
    )
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale dead-letters list\n  $ visionscale dead-letters retry --code not_found',
    );
  for (const part of [list(), show(), retry(), drop(), add()]) parent.addCommand(part.exitOverride());
  return parent;
}

function list(): Command {
  const states = ['open', 'resolved', 'dropped', 'all'];
  const command = filters(new Command('list').description('dead letters, the latest first'))
    .addOption(new Option('--state <state>', 'in this state').choices(states).default('open'))
    .option('--limit <n>', 'most letters', countAbove0, 20)
    .addHelpText('after', '\nExample:\n  $ visionscale dead-letters list --code not_found --since 1h');
  return withSettings(command, infrastructure).action((ids: number[], options: ListFlags, command: Command) =>
    run(command, () => import('./list.ts'), ids, options),
  );
}

function show(): Command {
  const command = new Command('show')
    .description('everything that is known of a dead letter, its message included')
    .argument('<id>', 'as dead-letters list shows it', rowId)
    .addHelpText('after', '\nExample:\n  $ visionscale dead-letters show 17');
  return withSettings(command, infrastructure).action((id: number, _options, command: Command) =>
    run(command, () => import('./show.ts'), id),
  );
}

function retry(): Command {
  const command = chosen(
    new Command('retry').description(
      'send open dead letters through the topic once more, after their cause has been repaired',
    ),
  ).addHelpText(
    'after',
    '\nExample:\n  $ visionscale dead-letters retry --code not_found\n\n' +
      'A retry counts once, however often it is sent; what fails again stays open with one attempt more.',
  );
  return withSettings(command, infrastructure).action(
    (ids: number[], options: ChosenFlags, command: Command) =>
      run(command, () => import('./retry.ts'), ids, options),
  );
}

function drop(): Command {
  const command = chosen(
    new Command('drop').description('close open dead letters for good: their requests get no prediction'),
  ).addHelpText('after', '\nExample:\n  $ visionscale dead-letters drop 17 18');
  return withSettings(command, infrastructure).action(
    (ids: number[], options: ChosenFlags, command: Command) =>
      run(command, () => import('./drop.ts'), ids, options),
  );
}

function add(): Command {
  const command = new Command('add')
    .description('move one message that holds up its partition into a dead letter, whatever it is stuck on')
    .requiredOption('--partition <n>', 'the partition', wholeNumber)
    .requiredOption('--offset <n>', 'the offset of the message, as status and the log name it', offsetNumber)
    .option('--reason <text>', 'why, for whoever reads the letter', letterReason)
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale dead-letters add --partition 2 --offset 4711 --reason "stuck since the update"\n\n' +
        'Consumers need not be stopped: the one that works on the message passes over it. dead-letters retry sends it once\n' +
        'more. Exit code 1 where there is no such message or it is recorded already.',
    );
  const settings = [...infrastructure, 'VISIONSCALE_RESULTS_TOPIC', 'VISIONSCALE_MESSAGE_REQUESTS'] as const;
  return withSettings(command, settings).action((options: AddFlags, command: Command) =>
    run(command, () => import('./add.ts'), options),
  );
}

function filters(command: Command): Command {
  return command
    .argument('[id...]', 'these letters', rowIds)
    .option('--code <code>', 'with this error code, e.g. not_found')
    .addOption(
      new Option('--stage <stage>', 'that failed at this stage').choices([
        'read',
        'fetch',
        'classify',
        'record',
      ]),
    )
    .option('--since <when>', 'that failed last since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'that failed last before then');
}

/** For what changes letters: nothing is selected by default. */
function chosen(command: Command): Command {
  return filters(command)
    .addOption(new Option('--all', 'every open letter').conflicts(['code', 'stage', 'since', 'until']))
    .option('--limit <n>', 'most letters', countAbove0);
}
