/** `visionscale results` */
import { Command, Option } from 'commander';
import { countAbove0 } from './arguments.ts';
import type { ResultsFlags } from './actions/results.ts';
import { infrastructure, run, withSettings } from './run.ts';

export function resultsCommand(): Command {
  return withSettings(
    new Command('results')
      .description('the latest predictions')
      .option('--key <key>', 'of this image')
      .option('--category <name>', 'of this category')
      .option('--since <when>', 'a time ago (15m, 2h, 7d) or a date')
      .option('--limit <n>', 'most rows', countAbove0, 20)
      .addOption(new Option('--csv', 'comma-separated values with a header line').conflicts('json'))
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale results --category "tabby, tabby cat" --since 1h --csv > cats.csv',
      ),
    infrastructure,
  ).action((options: ResultsFlags, command: Command) =>
    run(command, () => import('./actions/results.ts'), options),
  );
}
