/** `visionscale results …` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AccuracyFlags } from './accuracy.ts';
import type { ExportFlags } from './export.ts';
import type { ResultsFlags } from './list.ts';
import { fromSource } from './source.ts';

export function resultsCommand(): Command {
  const parent = withSettings(
    fromSource(new Command('results'))
      .description('Show the latest predictions, export unsure ones, and measure accuracy')
      // What follows `export` is export's: both have --limit.
      .enablePositionalOptions()
      .option('--key <key>', 'Only this image')
      .option('--category <name>', 'Only this category')
      .option('--bin <name>', 'Only this bin')
      .option('--unknown', 'Only objects unlike every class of the model')
      .option('--since <when>', 'Only since then: a time ago (15m, 2h, 7d) or a date')
      .option('-n, --limit <n>', 'Most rows', countAbove0, 20)
      .addOption(new Option('--csv', 'Print CSV with a header line').conflicts('json'))
      .addOption(
        new Option('--parquet <file>', 'Write them to this new file, as Apache Parquet').conflicts('csv'),
      )
      .addOption(
        new Option(
          '-f, --follow',
          'Print each new prediction as it is made, until Ctrl-C; with --json one document a line',
        ).conflicts(['csv', 'parquet', 'since', 'limit']),
      )
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale results --category "tabby, tabby cat" --csv > cats.csv\n' +
          '  $ visionscale results export --below 60 --limit 500 ./to-sort',
      ),
    infrastructure,
  ).action((options: ResultsFlags, command: Command) => run(command, () => import('./list.ts'), options));
  for (const part of [exportCommand(), accuracyCommand()]) parent.addCommand(part.exitOverride());
  return parent;
}

function exportCommand(): Command {
  const command = fromSource(new Command('export'))
    .description('Export images that the model was unsure of or did not know, into folders for you to sort')
    .argument('<dir>', 'Directory to create')
    .option('--below <percent>', 'Only predictions less confident than this', percentage)
    .option(
      '--margin <points>',
      'Only where the second category is closer than this to the first',
      percentage,
    )
    .option('--unknown', 'Only objects unlike every class, in one folder for you to label')
    .option('--category <name>', 'Only this category')
    .option('--since <when>', 'Only predicted since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'Only predicted before then')
    .option('-n, --limit <n>', 'Most images, least sure first', countAbove0, 500)
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale results export --below 60 --limit 500 ./to-sort\n' +
        '  (move each image into the folder of its correct label; delete those that you\n  do not judge)\n' +
        '  $ visionscale correct --from ./to-sort\n\n' +
        'With --unknown all images are in the folder to-label. Move them into folders of\ntheir classes; what stays there is not recorded.\n\n' +
        'The latest prediction of each image counts. Corrected images are left out, so\n' +
        'the next export continues.',
    );
  return withSettings(command, infrastructure).action((dir: string, options: ExportFlags, command: Command) =>
    run(command, () => import('./export.ts'), dir, options),
  );
}

function accuracyCommand(): Command {
  const command = fromSource(new Command('accuracy'))
    .description(
      'Measure how many predictions of corrected images were right, and name the classes to photograph next',
    )
    .option('--since <when>', 'Only predicted since then: a time ago (15m, 2h, 7d) or a date')
    .option('--until <when>', 'Only predicted before then')
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
