/** `visionscale bench` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type StageName, stageNames } from '../../lib/local/bench/stage.ts';
import { countAbove0, positive } from '../shared/arguments.ts';
import { infrastructure, modelSettings, run, withSettings } from '../shared/run.ts';
import type { BenchFlags } from './action.ts';
import type { SimulateFlags } from './simulate.ts';

export function benchCommand(): Command {
  return withSettings(
    new Command('bench')
      .description('Measure each stage and the whole pipeline on this machine')
      .argument('[dir]', 'Directory of images (default: drawn images)')
      .option('--stages <names>', `Only these stages, separated by commas: ${stageNames.join(', ')}`, stages)
      .option('--seconds <n>', 'Seconds for each measurement', positive, 3)
      .option(
        '--check <file>',
        'Compare with what bench --json printed before, by ratios: exit 1 where this is slower',
      )
      .addOption(
        new Option(
          '--simulate',
          'Run consumers with a store and a model that answer at once, to the limit of topic and database',
        ).conflicts(['stages', 'check']),
      )
      .option(
        '--partitions <n>',
        'With --simulate: partitions of the topic (default: as in the settings)',
        countAbove0,
      )
      .option('--consumers <n>', 'With --simulate: consumer processes', countAbove0, 1)
      .option('--count <n>', 'With --simulate: messages (default: enough for --seconds)', countAbove0)
      .option('--group', 'With --simulate: consumers of a group, as consume --group')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale bench ./photographs --stages infer,end-to-end\n' +
          '  $ visionscale bench --simulate --partitions 300 --consumers 3\n\n' +
          'What the settings name (a database, Kafka, a bucket) is measured, in a database,\n' +
          'topics (<topic>.bench-…) and a folder of its own, which are deleted afterwards;\n' +
          'without settings everything is embedded, in a temporary directory.',
      ),
    [...infrastructure, ...modelSettings],
  ).action(
    (
      dir: string | undefined,
      options: BenchFlags & SimulateFlags & { simulate?: boolean },
      command: Command,
    ) =>
      options.simulate === true
        ? run(command, () => import('./simulate.ts'), options)
        : run(command, () => import('./action.ts'), dir, options),
  );
}

/** Names, separated by commas. */
function stages(text: string): StageName[] {
  return text.split(',').map((part) => {
    const found = stageNames.find((name) => name === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`There are ${stageNames.join(', ')}.`);
    return found;
  });
}
