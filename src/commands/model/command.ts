/** `visionscale model …` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { outputKinds } from '../../lib/base/classification.ts';
import type { Preset } from '../../lib/models/format/published.ts';
import type { Interpolation } from '../../lib/models/images/resize.ts';
import { beltName, countAbove0, followLinks, strict } from '../shared/arguments.ts';
import { infrastructure, modelSettings, run, withSettings } from '../shared/run.ts';
import type { AddModelFlags } from './add.ts';
import type { CompareFlags } from './compare.ts';
import type { PullFlags } from './pull.ts';
import type { QuantizeFlags } from './quantize.ts';
import type { SwitchFlags } from './switch.ts';
import type { UseFlags } from './use.ts';

const storeSettings = ['VISIONSCALE_MODELS', 'VISIONSCALE_LOG_LEVEL'] as const;

export function modelCommand(): Command {
  const model = new Command('model')
    .description('Download, add, check, compare, choose and remove models')
    .addHelpText('after', '\nExample:\n  $ visionscale model pull squeezenet1_1');
  const parts = [
    list(),
    show(),
    labels(),
    pull(),
    add(),
    verify(),
    use(),
    rollback(),
    history(),
    accept(),
    publish(),
    compare(),
    quantize(),
    remove(),
  ];
  for (const command of parts) model.addCommand(command.exitOverride());
  return model;
}

function list(): Command {
  return withSettings(
    new Command('list')
      .description('List the models of the store, and which one is active')
      .addHelpText('after', '\nExample:\n  $ visionscale model list'),
    storeSettings,
  ).action((_options, command: Command) => run(command, () => import('./list.ts')));
}

function show(): Command {
  return withSettings(
    new Command('show')
      .description('Show all about a model')
      .argument(
        '[model]',
        'Name, name@version, digest or hf:<owner>/<repository> (default: the active model)',
      )
      .addHelpText('after', '\nExample:\n  $ visionscale model show squeezenet1_1'),
    storeSettings,
  ).action((model: string | undefined, _options, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.show })), model),
  );
}

function labels(): Command {
  return withSettings(
    new Command('labels')
      .description('Print the labels of a model, one per line')
      .argument(
        '[model]',
        'Name, name@version, digest or hf:<owner>/<repository> (default: the active model)',
      )
      .addHelpText('after', '\nExample:\n  $ visionscale model labels squeezenet1_1'),
    storeSettings,
  ).action((model: string | undefined, _options, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.labels })), model),
  );
}

function pull(): Command {
  return withSettings(
    new Command('pull')
      .description('Download a model, check it and add it to the store')
      .argument(
        '[model]',
        'Name in the catalogue, or hf:<owner>/<repository>[@<revision>] (default: list the catalogue)',
      )
      .option('--file <path>', 'ONNX file of the hub’s repository (default: onnx/model.onnx)')
      .option('--from <source>', 'Another address of a SqueezeNet, or its .pth file')
      .addOption(new Option('--sha256 <hex>', 'Checksum that the file must have').argParser(sha256))
      .option('-y, --yes', 'Make it the active model without asking, even if another one is active')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model pull squeezenet1_1\n' +
          '  $ visionscale model pull hf:onnx-community/mobilenetv4s-webnn\n\n' +
          'Models of the Hugging Face hub are ONNX classifiers with config.json and\n' +
          'preprocessor_config.json, as for transformers.js. The store keeps the commit and\n' +
          'the checksum; a later pull that would bring other weights is refused. HF_TOKEN\n' +
          'is for private and gated models, HF_ENDPOINT for a mirror.\n\n' +
          'Downloads resume: run the same command again. HTTPS_PROXY and NO_PROXY are\nrespected.',
      ),
    storeSettings,
  ).action((model: string | undefined, options: PullFlags, command: Command) =>
    run(command, () => import('./pull.ts'), model, options),
  );
}

function add(): Command {
  return withSettings(
    new Command('add')
      .description('Add an ONNX image classifier, after a test inference')
      .argument('<path>', 'An .onnx file, a model directory, or the .pth file of a SqueezeNet')
      .option(
        '--name <name[@version]>',
        'Name (default: from model.json or the file, with the start of its digest)',
      )
      .option(
        '--labels <file>',
        'Labels: one per line, or a JSON list or map (default: the file beside the weights)',
      )
      .addOption(
        new Option('--size <pixels>', 'Input size of the network (default: from the model)').argParser(
          countAbove0,
        ),
      )
      .addOption(
        new Option('--resize <pixels>', 'Size of the shorter side before the crop').argParser(countAbove0),
      )
      .addOption(
        new Option('--crop <pixels>', 'Size of the centre crop: the same as --size').argParser(countAbove0),
      )
      .addOption(
        new Option('--mean <r,g,b>', 'Mean to subtract, for values from 0 to 1').argParser(perChannel),
      )
      .addOption(new Option('--std <r,g,b>', 'Standard deviation to divide by').argParser(perChannel))
      .addOption(
        new Option('--preset <name>', 'Mean and standard deviation by name').choices([
          ...(['imagenet', 'tf', 'lite', 'clip', 'pixels', 'caffe'] satisfies Preset[]),
        ]),
      )
      .option('--bgr', 'The network takes blue, green, red (mean and std: red, green, blue)')
      .addOption(
        new Option('--interpolation <filter>', 'How to resize (default: bilinear)').choices([
          ...(['bilinear', 'bicubic'] satisfies Interpolation[]),
        ]),
      )
      .addOption(
        new Option('--output <kind>', 'What the network returns (default: found by test inferences)').choices(
          [...outputKinds],
        ),
      )
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model add resnet18.onnx --name resnet18 --labels imagenet.txt \\\n' +
          '      --size 224 --resize 256 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n\n' +
          'What model.json, preprocessor_config.json (Hugging Face) or config.json (timm)\n' +
          'beside the weights say holds where no flag does; what they ask for and cannot\nbe done is refused.',
      ),
    storeSettings,
  ).action((path: string, options: AddModelFlags, command: Command) =>
    run(command, () => import('./add.ts'), path, options),
  );
}

function verify(): Command {
  return withSettings(
    new Command('verify')
      .description('Check the files of a model, and run a test inference')
      .argument('[model]', 'Model to check (default: the active one)')
      .addHelpText('after', '\nExample:\n  $ visionscale model verify squeezenet1_1'),
    storeSettings,
  ).action((model: string | undefined, _options, command: Command) =>
    run(command, () => import('./inspect.ts').then((inspect) => ({ default: inspect.verify })), model),
  );
}

function use(): Command {
  return withSettings(
    new Command('use')
      .description('Check a model and make it active, here and for all consumers of the pipeline')
      .argument('[model]', 'Name, name@version or digest')
      .option('--belt <name>', 'Make it the model of this belt only', beltName)
      .option('--default', "With --belt: let the belt take the pipeline's model again")
      .option('-y, --yes', 'Do not ask, even if the labels change')
      .option(
        '--force',
        'Use it even if the bins do not fit its labels, or it differs too much from its full-precision parent',
      )
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model use squeezenet1_1\n' +
          '  $ visionscale model use bottles --belt north\n\n' +
          'Shows what changes: the model, its measured accuracy, and its labels. It asks\n' +
          'before the labels of a pipeline change. `visionscale model rollback` goes back.\n' +
          "Belts without a model of their own take the pipeline's.",
      ),
    [...infrastructure, 'VISIONSCALE_MODELS'],
  ).action((model: string | undefined, options: UseFlags, command: Command) =>
    run(command, () => import('./use.ts'), model, options),
  );
}

function rollback(): Command {
  return withSettings(
    new Command('rollback')
      .description('Go back to the model that the pipeline ran before the latest switch')
      .option('--belt <name>', 'Go back to what this belt took before its own latest switch', beltName)
      .option('-y, --yes', 'Do not ask, even if the labels change')
      .option('--force', 'Go back even if the bins do not fit its labels')
      .addHelpText('after', '\nExample:\n  $ visionscale model rollback'),
    [...infrastructure, 'VISIONSCALE_MODELS'],
  ).action((options: SwitchFlags & { belt?: string }, command: Command) =>
    run(command, async () => ({ default: (await import('./history.ts')).rollback }), options),
  );
}

function history(): Command {
  return withSettings(
    new Command('history')
      .description('Show who switched the models of the pipeline and its belts, when, and from where')
      .option('--belt <name>', 'Only the switches of this belt', beltName)
      .option('-n, --limit <n>', 'Most switches', countAbove0, 20)
      .addHelpText('after', '\nExample:\n  $ visionscale model history'),
    infrastructure,
  ).action((options: { limit: number; belt?: string }, command: Command) =>
    run(command, async () => ({ default: (await import('./history.ts')).history }), options),
  );
}

function compare(): Command {
  const command = new Command('compare')
    .description('Compare models on labelled pictures: accuracy, time and size, and which one to take')
    .argument('<models...>', 'Models to compare, 2 to 10: each as name, name@version, digest or path')
    .requiredOption('--images <dir>', 'Directory with one folder of images per label, named as the label')
    .option(
      '--group-by <pattern>',
      "Pictures that agree in {braces} belong together: '{object}_*.jpg' by name, '{day}/*' below the class folder",
    )
    .addOption(new Option('-n, --limit <n>', 'Most images to use').argParser(countAbove0))
    .option('-o, --out <file>', 'File for the page', 'comparison.html')
    .option(...followLinks)
    .option(...strict)
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale model compare parts@1 parts@2 --images ./labelled\n\n' +
        'Use pictures that none of the models was trained on. Intervals count groups of\n' +
        'similar pictures, as `train` finds them.',
    );
  const settings = modelSettings.filter((n) => n !== 'VISIONSCALE_MODEL' && n !== 'VISIONSCALE_WORKERS');
  return withSettings(command, [...settings, 'VISIONSCALE_LOG_LEVEL']).action(
    (models: string[], options: CompareFlags, command: Command) =>
      run(command, () => import('./compare.ts'), models, options),
  );
}

function quantize(): Command {
  return withSettings(
    new Command('quantize')
      .description('Make an int8 version of a model, calibrated and tested on images')
      .argument('<model>', 'Name, name@version or digest')
      .requiredOption('--images <dir>', 'Images to calibrate with, similar to those to classify')
      .addOption(new Option('-n, --limit <n>', 'Most images to use').argParser(countAbove0))
      .option('--name <name>', 'Name of the new model')
      .addOption(
        new Option('--min-agreement <share>', 'Least agreement with its parent to become active')
          .argParser(share)
          .default(0.9),
      )
      .option('--labelled <dir>', 'Directory with one folder of images per label, to measure accuracy')
      .option('--reduce-range', 'Use weights of 7 bits, for processors without VNNI')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model quantize squeezenet1_1 --images ./photographs',
      ),
    [...storeSettings, 'VISIONSCALE_IMAGE_TIMEOUT'],
  ).action((model: string, options: QuantizeFlags, command: Command) =>
    run(command, () => import('./quantize.ts'), model, options),
  );
}

function accept(): Command {
  return withSettings(
    new Command('accept')
      .description('Take belts as they are now: drift is what differs from their next 500 images')
      .option('--belt <name>', 'Only this belt (default: all belts, and images without one)')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model accept --belt north\n\n' +
          'For a belt that was changed on purpose: another lamp, another product. If it\n' +
          'was not, look at its images first: see `visionscale status`.',
      ),
    infrastructure,
  ).action((options: { belt?: string }, command: Command) =>
    run(command, () => import('./accept.ts'), options),
  );
}

function publish(): Command {
  return withSettings(
    new Command('publish')
      .description('Put a model into the object store for consumers on other hosts')
      .argument('<model>', 'Name, name@version, digest or path')
      .addHelpText('after', '\nExample:\n  $ visionscale model publish parts && visionscale model use parts'),
    [...infrastructure, 'VISIONSCALE_MODELS'],
  ).action((model: string, _options, command: Command) => run(command, () => import('./publish.ts'), model));
}

function remove(): Command {
  return withSettings(
    new Command('remove')
      .description('Remove a model from the store')
      .argument('<model>', 'Model as name@version or digest, or a name with only one version')
      .option('-y, --yes', 'Do not ask')
      .option('--force', 'Remove it without asking, even if it is active')
      .addHelpText('after', '\nExample:\n  $ visionscale model remove resnet18@2 --yes'),
    storeSettings,
  ).action((model: string, options: { force?: boolean }, command: Command) =>
    run(command, () => import('./remove.ts'), model, options),
  );
}

/** Three numbers, one a colour channel. */
function perChannel(text: string): [number, number, number] {
  const values = text.split(',').map(Number);
  if (values.length !== 3 || !/^[-+.\de,\s]+$/i.test(text) || !values.every(Number.isFinite)) {
    throw new InvalidArgumentError('It must be three numbers, for red, green and blue: 0.485,0.456,0.406');
  }
  return values as [number, number, number];
}

/** From 0 to 1. */
function share(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || value > 1)
    throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hex digits.');
  return text.toLowerCase();
}
