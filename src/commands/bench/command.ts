/** `visionscale bench` */
import { Command, InvalidArgumentError } from 'commander';
import { type StageName, stageNames } from '../../lib/local/bench/stage.ts';
import { positive } from '../shared/arguments.ts';
import { infrastructure, modelSettings, run, withSettings } from '../shared/run.ts';
import type { BenchFlags } from './action.ts';

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
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale bench ./photographs --stages infer,end-to-end\n\n' +
          'What the settings name (a database, Kafka, a bucket) is measured, in a database,\n' +
          'topics and a folder of its own (in Kafka the topics <topic>.bench-… stay);\n' +
          'without settings everything is embedded, in a temporary directory.',
      ),
    [...infrastructure, ...modelSettings],
  ).action((dir: string | undefined, options: BenchFlags, command: Command) =>
    run(command, () => import('./action.ts'), dir, options),
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
