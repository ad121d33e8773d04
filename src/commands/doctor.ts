/** `visionscale doctor` */
import { Command } from 'commander';
import { infrastructure, modelSettings, run, withSettings } from './shared/run.ts';

export function doctorCommand(): Command {
  return withSettings(
    new Command('doctor')
      .description('check every package, server, permission, clock and model; say what to do')
      .addHelpText('after', '\nExample:\n  $ visionscale doctor --model squeezenet1_1.onnx'),
    [...infrastructure, ...modelSettings],
  ).action((_options, command: Command) => run(command, () => import('./actions/doctor.ts')));
}
