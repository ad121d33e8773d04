/** `visionscale bench` */
import { Command } from 'commander';
import { stageNames } from '../lib/local/bench/stage.ts';
import type { BenchFlags } from './actions/bench.ts';
import { positive, someOf } from './arguments.ts';
import { infrastructure, modelSettings, run, withSettings } from './run.ts';

export function benchCommand(): Command {
  return withSettings(
    new Command('bench')
      .description('measure every stage alone and all of it together, on this machine')
      .argument('[dir]', 'directory of images; without one they are drawn')
      .option(
        '--stages <names>',
        `only these, separated by commas: ${stageNames.join(', ')}`,
        someOf(stageNames),
      )
      .option('--seconds <n>', 'time for each figure', positive, 3)
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale bench ./photographs --model squeezenet1_1.onnx --stages infer,end-to-end\n\n' +
          'What the settings name (a database, Kafka, a bucket) is measured, in a database, topics and a folder of its own\n' +
          '(in Kafka the topics <topic>.bench-… stay); without settings everything is embedded, in a temporary directory.',
      ),
    [...infrastructure, ...modelSettings],
  ).action((dir: string | undefined, options: BenchFlags, command: Command) =>
    run(command, () => import('./actions/bench.ts'), dir, options),
  );
}
