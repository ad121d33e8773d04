/** `visionscale evaluate` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { followLinks, strict } from '../shared/arguments.ts';
import { modelSettings, run, withSettings } from '../shared/run.ts';
import type { EvaluateFlags } from './action.ts';

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Measure a model on labelled folders, and show what to photograph next')
    .argument('<dir>', 'Directory with one folder of images per label, named as the label')
    .addOption(new Option('--compare <A,B>', 'Now visionscale model compare').argParser(moved).hideHelp())
    .option('-o, --out <dir>', 'Directory for report.html and metrics.json', 'evaluation')
    .option(...followLinks)
    .option(...strict)
    .option('--unknown <dir>', 'Images of none of the classes: how many are called unknown?')
    .option('--skip-unknown', 'Skip folders that are not named as a label of the model')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale evaluate ./labelled --model parts\n' +
        '  $ visionscale evaluate ./labelled --model parts@2 --out ./second\n' +
        '  $ visionscale evaluate ./labelled --model parts --unknown ./anything-else\n\n' +
        'Several models on the same images: visionscale model compare',
    );
  return withSettings(command, [...modelSettings, 'VISIONSCALE_LOG_LEVEL']).action(
    (dir: string, options: EvaluateFlags, command: Command) =>
      run(command, () => import('./action.ts'), dir, options),
  );
}

function moved(): never {
  throw new InvalidArgumentError(
    'It is a command of its own now: visionscale model compare parts@1 parts@2 --images ./labelled',
  );
}
