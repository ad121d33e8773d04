/** `visionscale model …` */
import { Command, Option } from 'commander';
import { outputKinds } from '../../lib/models/classifier/classifier.ts';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AddFlags } from './add.ts';
import { perChannel, sha256, share } from './arguments.ts';
import type { PullFlags } from './pull.ts';
import type { QuantizeFlags } from './quantize.ts';

const storeSettings = ['VISIONSCALE_MODELS', 'VISIONSCALE_LOG_LEVEL'] as const;

export function modelCommand(): Command {
  const model = new Command('model')
    .description('the models of this user: get, add, check, choose and remove them')
    .addHelpText('after', '\nExample:\n  $ visionscale model pull imagenet');
  const parts = [list(), show(), pull(), add(), verify(), use(), publish(), quantize(), remove()];
  for (const command of parts) model.addCommand(command.exitOverride());
  return model;
}

function list(): Command {
  return withSettings(
    new Command('list')
      .description('the models of the store, and which one is active')
      .addHelpText('after', '\nExample:\n  $ visionscale model list'),
    storeSettings,
  ).action((_options, command: Command) => run(command, () => import('./list.ts')));
}

function show(): Command {
  return withSettings(
    new Command('show')
      .description('everything that is known of a model')
      .argument('[model]', 'name, name@version or digest; by default the active one')
      .addHelpText('after', '\nExample:\n  $ visionscale model show squeezenet1_1'),
    storeSettings,
  ).action((model: string | undefined, _options, command: Command) =>
    run(command, () => import('./show.ts'), model),
  );
}

function pull(): Command {
  return withSettings(
    new Command('pull')
      .description('download SqueezeNet for ImageNet (5 MB), check it and convert it')
      .argument('<model>', 'imagenet')
      .option('--from <source>', 'another address, or the .pth file itself')
      .addOption(new Option('--sha256 <hex>', 'the checksum that the file must have').argParser(sha256))
      .option('--yes', 'make it the active model without asking, also where another one is')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model pull imagenet\n\n' +
          'An interrupted download goes on with the same command. HTTPS_PROXY and NO_PROXY are respected.',
      ),
    storeSettings,
  ).action((model: string, options: PullFlags, command: Command) =>
    run(command, () => import('./pull.ts'), model, options),
  );
}

function add(): Command {
  return withSettings(
    new Command('add')
      .description('add an ONNX image classifier, checked by a test inference')
      .argument('<path>', 'an .onnx file, a model directory, or the .pth of a squeezenet1_1')
      .option(
        '--name <name[@version]>',
        'by default as its model.json or file says, with the start of its digest',
      )
      .option('--labels <file>', 'one label a line, or a list or map as JSON; by default beside the weights')
      .addOption(
        new Option('--size <pixels>', 'side of the network’s input; by default what it says').argParser(
          countAbove0,
        ),
      )
      .addOption(new Option('--resize <pixels>', 'shorter side before the crop').argParser(countAbove0))
      .addOption(
        new Option('--crop <pixels>', 'side of the centre crop: the same as --size').argParser(countAbove0),
      )
      .addOption(new Option('--mean <r,g,b>', 'subtracted, of values from 0 to 1').argParser(perChannel))
      .addOption(new Option('--std <r,g,b>', 'divided by').argParser(perChannel))
      .addOption(
        new Option(
          '--output <kind>',
          'what it answers with; by default as its graph and test inferences show',
        ).choices([...outputKinds]),
      )
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model add resnet18.onnx --name resnet18 --labels imagenet.txt --size 224 \\\n' +
          '      --resize 256 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225',
      ),
    storeSettings,
  ).action((path: string, options: AddFlags, command: Command) =>
    run(command, () => import('./add.ts'), path, options),
  );
}

function verify(): Command {
  return withSettings(
    new Command('verify')
      .description('check digest, files and a test inference')
      .argument('[model]', 'by default the active one')
      .addHelpText('after', '\nExample:\n  $ visionscale model verify squeezenet1_1'),
    storeSettings,
  ).action((model: string | undefined, _options, command: Command) =>
    run(command, () => import('./verify.ts'), model),
  );
}

function use(): Command {
  return withSettings(
    new Command('use')
      .description('check a model and make it the active one, here and for every consumer of the pipeline')
      .argument('<model>', 'name, name@version or digest')
      .option('--force', 'also where it agrees too little with the model it was made from')
      .addHelpText('after', '\nExample:\n  $ visionscale model use squeezenet1_1'),
    [...infrastructure, 'VISIONSCALE_MODELS'],
  ).action((model: string, options: { force?: boolean }, command: Command) =>
    run(command, () => import('./use.ts'), model, options),
  );
}

function quantize(): Command {
  return withSettings(
    new Command('quantize')
      .description('make an int8 version of a model, calibrated and judged on images')
      .argument('<model>', 'name, name@version or digest')
      .requiredOption('--images <dir>', 'images like those to classify, to calibrate with')
      .addOption(new Option('--limit <n>', 'most images to take').argParser(countAbove0))
      .option('--name <name>', 'what to call it')
      .addOption(
        new Option('--min-agreement <share>', 'least agreement with its parent to become active')
          .argParser(share)
          .default(0.9),
      )
      .option('--labelled <dir>', 'a directory of images for each label, to judge the accuracy on')
      .option('--reduce-range', 'weights of 7 bits, for processors without VNNI')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale model quantize squeezenet1_1 --images ./photographs',
      ),
    [...storeSettings, 'VISIONSCALE_IMAGE_TIMEOUT'],
  ).action((model: string, options: QuantizeFlags, command: Command) =>
    run(command, () => import('./quantize.ts'), model, options),
  );
}

function publish(): Command {
  return withSettings(
    new Command('publish')
      .description('put a model into the object store for the consumers of other hosts')
      .argument('<model>', 'name, name@version, digest or path')
      .addHelpText('after', '\nExample:\n  $ visionscale model publish parts && visionscale model use parts'),
    [...infrastructure, 'VISIONSCALE_MODELS'],
  ).action((model: string, _options, command: Command) => run(command, () => import('./publish.ts'), model));
}

function remove(): Command {
  return withSettings(
    new Command('remove')
      .description('remove a model from the store')
      .argument('<model>', 'name@version or digest; a name alone where it has one version')
      .option('--force', 'also the active one')
      .addHelpText('after', '\nExample:\n  $ visionscale model remove resnet18@2'),
    storeSettings,
  ).action((model: string, options: { force?: boolean }, command: Command) =>
    run(command, () => import('./remove.ts'), model, options),
  );
}
