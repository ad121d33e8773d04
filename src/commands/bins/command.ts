/** `visionscale bins …` */
import { Command } from 'commander';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { TryFlags } from './try.ts';

const example = `
Example:
  $ visionscale bins use bins.yaml

bins.yaml:
  manual: manual            # where everything goes that no rule may decide
  defaults:
    confidence: 60          # percent, at least
    margin: 10              # percent points before the second class, at least
  bins:
    left: ["red *", "blue circle"]
    right:
      classes: ["green *"]
      confidence: 80

A class that is named goes before globs; of these the first that matches decides.`;

export function binsCommand(): Command {
  const bins = new Command('bins')
    .description('which class goes to which bin: check rules, put them in force, try them')
    .addHelpText('after', example);
  for (const part of [use(), check(), tryOut(), list(), show()]) bins.addCommand(part.exitOverride());
  return bins;
}

function use(): Command {
  return withSettings(
    new Command('use')
      .description('put rules in force: every consumer takes them up within one message, without a restart')
      .argument('<file>', 'YAML or JSON')
      .option('--force', 'although they name labels that the model does not have, or no model is there')
      .addHelpText('after', example),
    [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS'],
  ).action((file: string, options: { force?: boolean }, command: Command) =>
    run(command, () => import('./use.ts'), file, options),
  );
}

function check(): Command {
  return withSettings(
    new Command('check')
      .description('hold rules to the labels of the active model; exit 1 where they name what is not there')
      .argument('<file>', 'YAML or JSON')
      .addHelpText('after', '\nExample:\n  $ visionscale bins check bins.yaml'),
    [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS'],
  ).action((file: string, _options, command: Command) => run(command, () => import('./check.ts'), file));
}

function tryOut(): Command {
  return withSettings(
    new Command('try')
      .description('where the latest prediction of an image would go')
      .requiredOption('--key <image-key>', 'of this image')
      .option('--file <file>', 'by these rules; by default those in force')
      .addHelpText('after', '\nExample:\n  $ visionscale bins try --key belt-1/0001.jpg --file bins.yaml'),
    infrastructure,
  ).action((options: TryFlags, command: Command) => run(command, () => import('./try.ts'), options));
}

function list(): Command {
  return withSettings(
    new Command('list')
      .description('all versions of the rules, the latest first, and which is in force')
      .addHelpText('after', '\nExample:\n  $ visionscale bins list'),
    infrastructure,
  ).action((_options, command: Command) => run(command, () => import('./list.ts')));
}

function show(): Command {
  return withSettings(
    new Command('show')
      .description('the rules of a version, as a file that says the same')
      .argument('[version]', 'by default the one in force', countAbove0)
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale bins show 3 > bins.yaml && visionscale bins use bins.yaml',
      ),
    infrastructure,
  ).action((version: number | undefined, _options, command: Command) =>
    run(command, () => import('./show.ts'), version),
  );
}
