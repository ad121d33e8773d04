/** `visionscale results …` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AccuracyFlags } from './accuracy.ts';
import type { ResultsFlags } from './action.ts';
import type { ExportFlags } from './export.ts';

export function resultsCommand(): Command {
  const parent = withSettings(
    new Command('results')
      .description('the latest predictions; to export what the model was unsure of; measured accuracy')
      // What follows `export` is export's: both have --limit.
      .enablePositionalOptions()
      .option('--key <key>', 'of this image')
      .option('--category <name>', 'of this category')
      .option('--bin <name>', 'in this bin')
      .option('--since <when>', 'a time ago (15m, 2h, 7d) or a date')
      .option('--limit <n>', 'most rows', countAbove0, 20)
      .addOption(new Option('--csv', 'comma-separated values with a header line').conflicts('json'))
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale results --category "tabby, tabby cat" --since 1h --csv > cats.csv\n' +
          '  $ visionscale results export --below 60 --limit 500 ./to-sort',
      ),
    infrastructure,
  ).action((options: ResultsFlags, command: Command) => run(command, () => import('./action.ts'), options));
  for (const part of [exportCommand(), accuracyCommand()]) parent.addCommand(part.exitOverride());
  return parent;
}

function exportCommand(): Command {
  const command = new Command('export')
    .description('images the model was unsure of, into folders by their predicted label, to be sorted')
    .argument('<dir>', 'a new directory')
    .option('--below <percent>', 'less confident than this', percentage)
    .option('--margin <points>', 'the second category nearer than this to the first', percentage)
    .option('--category <name>', 'of this category')
    .option('--since <when>', 'predicted since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'predicted before then')
    .option('--limit <n>', 'most images, the least sure first', countAbove0, 500)
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale results export --below 60 --limit 500 ./to-sort\n' +
        '  (move each image into the folder of what it is; delete what is of no use)\n' +
        '  $ visionscale correct --from ./to-sort\n\n' +
        'By the latest prediction of each image. What was corrected already is left out, so the next export goes on.',
    );
  return withSettings(command, infrastructure).action((dir: string, options: ExportFlags, command: Command) =>
    run(command, () => import('./export.ts'), dir, options),
  );
}

function accuracyCommand(): Command {
  const command = new Command('accuracy')
    .description('how often the predictions were right, measured on corrected images, by model and by day')
    .option('--since <when>', 'predicted since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'predicted before then')
    .addHelpText('after', '\nExample:\n  $ visionscale results accuracy --since 30d');
  return withSettings(command, infrastructure).action((options: AccuracyFlags, command: Command) =>
    run(command, () => import('./accuracy.ts'), options),
  );
}

/** Above 0, up to 100. */
function percentage(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0 && value <= 100)) {
    throw new InvalidArgumentError('It must be a number above 0 and up to 100.');
  }
  return value;
}
