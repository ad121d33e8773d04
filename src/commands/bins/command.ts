/** `visionscale bins …` */
import { Command } from 'commander';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { TryFlags } from './inspect.ts';
import type { UseBinsFlags } from './use.ts';

const example = `
Example:
  $ visionscale bins use bins.yaml

bins.yaml:
  manual: manual            # where everything goes that no rule may decide
  unknown: foreign          # objects unlike every class (default: as manual)
  defaults:
    confidence: 60          # percent, at least
    margin: 10              # percent points before the second class, at least
  bins:
    left: ["red *", "blue circle"]
    right:
      classes: ["green *"]
      confidence: 80

A class name wins over every glob. Among globs, the first in the file that
matches wins.`;

export function binsCommand(): Command {
  const bins = new Command('bins')
    .description('Check, apply and try the rules that put each class into a bin')
    .addHelpText('after', example);
  for (const part of [use(), rollback(), history(), check(), tryOut(), list(), show()])
    bins.addCommand(part.exitOverride());
  return bins;
}

function use(): Command {
  return withSettings(
    new Command('use')
      .description('Apply rules; consumers use them from the next message on, without a restart')
      .argument('<file>', 'Rules as YAML or JSON')
      .option('--force', 'Apply them even if they name labels that the model lacks, or if there is no model')
      .addHelpText('after', example),
    [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS'],
  ).action((file: string, options: UseBinsFlags, command: Command) =>
    run(command, () => import('./use.ts'), file, options),
  );
}

function rollback(): Command {
  return withSettings(
    new Command('rollback')
      .description('Go back to the rules that were in force before the latest change')
      .option('--force', 'Go back even if they name labels that the model lacks')
      .addHelpText('after', '\nExample:\n  $ visionscale bins rollback'),
    [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS'],
  ).action((options: UseBinsFlags, command: Command) =>
    run(command, async () => ({ default: (await import('./use.ts')).rollback }), options),
  );
}

function history(): Command {
  return withSettings(
    new Command('history')
      .description('Show who changed the rules, when, and from where')
      .option('-n, --limit <n>', 'Most changes', countAbove0, 20)
      .addHelpText('after', '\nExample:\n  $ visionscale bins history'),
    infrastructure,
  ).action((options: { limit: number }, command: Command) =>
    run(command, () => import('./history.ts'), options),
  );
}

function check(): Command {
  return withSettings(
    new Command('check')
      .description(
        'Check rules against the labels of the active model; exit 1 if they name labels that it lacks',
      )
      .argument('<file>', 'Rules as YAML or JSON')
      .addHelpText('after', '\nExample:\n  $ visionscale bins check bins.yaml'),
    [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS'],
  ).action((file: string, _options, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.check })), file),
  );
}

function tryOut(): Command {
  return withSettings(
    new Command('try')
      .description('Show which bin the latest prediction of an image would go to')
      .requiredOption('--key <image-key>', 'Key of the image')
      .option('--file <file>', 'Rules to try (default: the active ones)')
      .addHelpText('after', '\nExample:\n  $ visionscale bins try --key belt-1/0001.jpg --file bins.yaml'),
    infrastructure,
  ).action((options: TryFlags, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.tryOut })), options),
  );
}

function list(): Command {
  return withSettings(
    new Command('list')
      .description('List all versions of the rules, latest first, and which one is active')
      .addHelpText('after', '\nExample:\n  $ visionscale bins list'),
    infrastructure,
  ).action((_options, command: Command) => run(command, () => import('./list.ts')));
}

function show(): Command {
  return withSettings(
    new Command('show')
      .description('Print a version of the rules as a file')
      .argument('[version]', 'Version to print (default: the active one)', countAbove0)
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale bins show 3 > bins.yaml && visionscale bins use bins.yaml',
      ),
    infrastructure,
  ).action((version: number | undefined, _options, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.show })), version),
  );
}
