/** `visionscale correct` */
import { Command } from 'commander';
import type { CorrectFlags } from './actions/correct.ts';
import { infrastructure, run, withSettings } from './shared/run.ts';

export function correctCommand(): Command {
  const command = new Command('correct')
    .description('say what images really are: one by its key, or all of a sorted export')
    .argument('[image-key]', 'as results shows it')
    .argument('[label]', 'what it is')
    .option('--from <dir>', 'what results export has written and a person has sorted')
    .option('--moved-only', 'with --from: only images that were moved; by default what stayed is confirmed')
    .option('--new', 'labels that the model does not have are classes of their own')
    .option('--by <name>', 'who says so; by default this user')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale correct belt-1/0042.jpg washer\n  $ visionscale correct --from ./to-sort\n\n' +
        'With --from every image that is still there counts as looked at: delete what you have not judged.',
    );
  return withSettings(command, [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS']).action(
    (key: string | undefined, label: string | undefined, options: CorrectFlags, command: Command) =>
      run(command, () => import('./actions/correct.ts'), key, label, options),
  );
}
