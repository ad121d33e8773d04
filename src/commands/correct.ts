/** `visionscale correct`: records the truth of one image, or of a sorted export. */
import { hostname, userInfo } from 'node:os';
import { Command } from 'commander';
import { openDatabase } from '../compose.ts';
import { UsageError } from '../lib/base/errors.ts';
import { printable } from '../lib/base/printable.ts';
import { counted } from '../lib/base/report/table.ts';
import { rejectedLine } from './shared/lines.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

interface CorrectFlags {
  from?: string;
  movedOnly?: boolean;
  new?: boolean;
  by?: string;
}

export function correctCommand(): Command {
  const command = new Command('correct')
    .description('Correct the label of an image, or of all images of a sorted export')
    .argument('[image-key]', 'Key as results shows it')
    .argument('[label]', 'Correct label')
    .option('--from <dir>', 'Directory that results export wrote and you have sorted')
    .option(
      '--moved-only',
      'With --from: only images that were moved (default: images that stayed are confirmed)',
    )
    .option('--new', 'Accept labels that the model lacks, as new classes')
    .option('--by <name>', 'Who corrects (default: this user)')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale correct belt-1/0042.jpg washer\n  $ visionscale correct --from ./to-sort\n\n' +
        'With --from, every image that is still in the folders counts as judged: delete\nthose that you have not judged.',
    );
  return withSettings(command, [...infrastructure, 'VISIONSCALE_MODEL', 'VISIONSCALE_MODELS']).action(
    (key: string | undefined, label: string | undefined, options: CorrectFlags, command: Command) =>
      runHere(command, correct, key, label, options),
  );
}

/** Loaded when it runs. */
const heavy = () =>
  Promise.all([
    import('../lib/learning/correct.ts'),
    import('../lib/pipeline/correct.ts'),
    import('./shared/model-labels.ts'),
  ]);

async function correct(
  context: Context,
  key: string | undefined,
  label: string | undefined,
  flags: CorrectFlags,
): Promise<number> {
  const { config, signal, say } = context;
  checkUsage(key, label, flags);
  const [{ correctFromDirectory }, { correctImages }, { modelAnswers }] = await heavy();
  await using database = await openDatabase(context);
  const { pool } = database;
  const options = {
    pipeline: config.pipeline,
    by: flags.by ?? whoRuns(),
    labels: (await modelAnswers(context, pool))?.labels ?? null,
    allowNew: flags.new === true,
  };
  if (flags.from === undefined) {
    const [one] = await correctImages(pool, [{ imageKey: key!, label: label! }], options);
    const { former: _, ...result } = one!;
    const { predicted } = result;
    context.print(result, () => {
      const was = predicted === null ? 'not predicted yet' : `predicted as ${predicted}`;
      return printable(`${key} is ${label} (${predicted === label ? 'as predicted' : was})`);
    });
    return 0;
  }
  const result = await correctFromDirectory(pool, flags.from, {
    ...options,
    movedOnly: flags.movedOnly === true,
    maxBytes: config.limits.maxBytes,
    signal,
  });
  for (const rejection of result.rejected) say(rejectedLine(rejection));
  const { corrected, moved, changed, unsorted, removed } = result;
  const waiting = unsorted === 0 ? '' : `; ${unsorted} still wait for a label`;
  context.print(
    result,
    () =>
      `${counted(corrected, 'image')} recorded: ${moved} corrected, ${corrected - moved} confirmed (${changed} new or changed); ` +
      `${removed} of the export were deleted from it and stay as they are${waiting}\n` +
      'Measured accuracy: visionscale results accuracy',
  );
  return result.rejected.length > 0 ? 1 : 0;
}

function checkUsage(key: string | undefined, label: string | undefined, flags: CorrectFlags): void {
  if (flags.from !== undefined && key !== undefined) {
    throw new UsageError('an image and --from cannot be used together');
  }
  if (flags.from === undefined && (key === undefined || label === undefined)) {
    throw new UsageError(
      'correct needs an image and its label, or a sorted export',
      'visionscale correct <image-key> <label>, or visionscale correct --from <dir>',
    );
  }
  if (flags.movedOnly && flags.from === undefined) throw new UsageError('--moved-only needs --from');
}

function whoRuns(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without an entry, as in some containers.
    return hostname();
  }
}
