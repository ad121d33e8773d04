/** `visionscale train` */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { TrainMode } from '../../lib/learning/train/modes.ts';
import { isInputSize } from '../../lib/models/onnx/squeezenet-layout.ts';
import { countAbove0, followLinks, strict, wholeNumber } from '../shared/arguments.ts';
import { infrastructure, modelSettings, offersModel, run, withSettings } from '../shared/run.ts';
import type { TrainFlags } from './action.ts';

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Train a model of your own classes from labelled folders')
    .argument(
      '[dir]',
      'Directory with one folder of images per class, named as the class (default: TRAINING_DATA_DIR)',
    )
    .addOption(
      new Option('--val <dir>', 'Folders of images to test with, not to learn from').conflicts('valSplit'),
    )
    .addOption(
      new Option('--val-split <share>', 'Share of each class that is held back to test with, in whole groups')
        .argParser(part)
        .default(0.2),
    )
    .option(
      '--group-by <pattern>',
      "Pictures that agree in {braces} belong together: '{object}_*.jpg' by name, '{day}/*' below the class folder",
    )
    .option(...followLinks)
    .option(...strict)
    .option('--name <name>', 'Name of the model (default: the name of the directory)')
    .option('--from <model>', 'Classifier to start from (default: the active model)')
    .addOption(
      new Option(
        '--mode <mode>',
        'What to train: head (only the classifier, in minutes) or scratch (all layers from random weights)',
      )
        .choices(modes)
        .argParser(mode)
        .default('head'),
    )
    .addOption(
      new Option('--epochs <n>', 'Passes over the images in mode scratch (60)').argParser(countAbove0),
    )
    .addOption(
      new Option(
        '--input-size <pixels>',
        'Input size of the network in mode scratch: a multiple of 16 from 32 to 512',
      ).argParser(inputSize),
    )
    .addOption(new Option('--batch-size <n>', 'Images per step in mode scratch (32)').argParser(countAbove0))
    .addOption(new Option('--seed <n>', 'Random seed').argParser(wholeNumber).default(1))
    .option('--from-corrections', 'Also learn from the images that were corrected in this pipeline')
    .option('--retrain', 'Train a new version if there is a model of that name')
    .option('--resume', 'Continue an interrupted training')
    .option('-o, --out <dir>', 'Directory for report.html and metrics.json', 'training')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale train ./fruit --from squeezenet1_1\n' +
        '  $ visionscale train ./parts --mode scratch --input-size 112\n' +
        '  $ visionscale train ./fruit --from-corrections --retrain\n\n' +
        'Pictures that belong together are never on both sides of the test: folders below\n' +
        'a class folder, names by --group-by, bursts, near-duplicates, and what looks\nalike.\n\n' +
        'The new model is not used until you say so: visionscale model use <model>.\n' +
        'Mode scratch needs @tensorflow/tfjs-node, and hours; there Ctrl-C keeps the\nbest epoch so far. Mode head ends at once, without a model, and is faster the\nnext time.',
    );
  const settings = [
    'CLASS_NAMES',
    ...infrastructure,
    ...modelSettings.filter((n) => n !== 'VISIONSCALE_MODEL'),
  ] as const;
  return offersModel(withSettings(command, settings)).action(
    (dir: string | undefined, options: TrainFlags, command: Command) =>
      run(command, () => import('./action.ts'), dir, options),
  );
}

const modes: readonly TrainMode[] = ['head', 'scratch'];

function mode(text: string): TrainMode {
  const known = modes.find((mode) => mode === text);
  if (known) return known;
  throw new InvalidArgumentError(
    text === 'full'
      ? 'Mode full was removed: use --mode head, with --from a better network.'
      : `Allowed choices are ${modes.join(', ')}.`,
  );
}

function inputSize(text: string): number {
  const size = wholeNumber(text);
  if (!isInputSize(size)) throw new InvalidArgumentError('It must be a multiple of 16 from 32 to 512.');
  return size;
}

/** Above 0 and below 1. */
function part(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || !(value > 0 && value < 1)) {
    throw new InvalidArgumentError('It must be a number between 0 and 1.');
  }
  return value;
}
