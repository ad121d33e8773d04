/** `visionscale prune` */
import { Command, InvalidArgumentError } from 'commander';
import { openDatabase, openTopic } from '../compose.ts';
import { durationMs, durationText } from '../lib/base/duration.ts';
import { counted, formatBytes } from '../lib/base/report/table.ts';
import type { Kept, Prunable } from '../lib/systems/database/tables/prune.ts';
import { confirmed, nothingChanged } from './shared/confirm.ts';
import { openReadyStore } from './shared/opening.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

interface PruneFlags {
  olderThan: number;
  dryRun?: boolean;
}

export function pruneCommand(): Command {
  return withSettings(
    new Command('prune')
      .description('Delete old images, results and closed dead letters')
      .requiredOption('--older-than <time>', 'How old they must be, such as 30d or 12h', age)
      .option('--dry-run', 'Show what would be deleted, and delete nothing')
      .option('-y, --yes', 'Do not ask for confirmation')
      .addHelpText(
        'after',
        '\nExample:\n  $ visionscale prune --older-than 30d --dry-run\n\n' +
          'Deletes images with their objects and results. Keeps images without a result,\n' +
          'everything whose message is still in the topic, open dead letters, and corrected\n' +
          'images with their results. Safe to run, and to interrupt, at any time.',
      ),
    infrastructure,
  ).action((flags: PruneFlags, command: Command) => runHere(command, pruneAll, flags));
}

function age(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('It must be a time such as 30d or 12h.');
  return ms;
}

async function pruneAll(context: Context, { olderThan, dryRun }: PruneFlags): Promise<number> {
  const { config, interactive, say, signal } = context;
  const [{ plannedPrune, prune }, { Progress }] = await Promise.all([
    import('../lib/pipeline/prune.ts'),
    import('../lib/base/report/progress.ts'),
  ]);
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  await using store = await openReadyStore(context);
  const deps = { pool: database.pool, topic, store };
  const { scope, prunable: planned, kept } = await plannedPrune(deps, config.pipeline, olderThan);
  const age = durationText(olderThan);
  const what = ({ images, bytes, results, deadLetters }: typeof planned) =>
    `${counted(images, 'image')} (${formatBytes(bytes)}) with their results, ` +
    `${counted(results, 'other result')} and ${counted(deadLetters, 'closed dead letter')}`;
  const rows = rowsOf(planned);
  if (dryRun || rows === 0) {
    const text = rows === 0 ? `nothing to delete that is older than ${age}` : `would delete ${what(planned)}`;
    context.print(
      { ...(dryRun && { dryRun }), before: scope.before, ...planned, ...kept },
      () => text + keptText(kept),
    );
    return 0;
  }
  const sentence = `prune deletes ${what(planned)}, older than ${age}, for good`;
  if (!(await confirmed(context, sentence, `Delete ${what(planned)}, older than ${age}, for good?`))) {
    say(nothingChanged);
    return 1;
  }
  using progress = new Progress({ label: 'prune', unit: 'rows', interactive, line: say });
  progress.expect(rows);
  const deleted = await prune(deps, {
    ...{ scope, signal },
    report: ({ rows, bytes }) => progress.advance(rows, bytes),
  });
  progress[Symbol.dispose]();
  context.print(
    { before: scope.before, ...deleted, ...kept },
    () => `deleted ${what(deleted)}${keptText(kept)}`,
  );
  if (signal.aborted) say('interrupted; run it again to go on');
  return signal.aborted ? 1 : 0;
}

function rowsOf({ images, results, deadLetters }: Prunable): number {
  return images + results + deadLetters;
}

/** Why what is as old stays. */
function keptText({ inTopic, unanswered, corrected, openDeadLetters }: Kept): string {
  const reasons = [
    ...(inTopic > 0 ? [`${inTopic} whose messages are still in the topic`] : []),
    ...(unanswered > 0 ? [`${counted(unanswered, 'image')} without a result`] : []),
    ...(corrected > 0 ? [counted(corrected, 'corrected image')] : []),
    ...(openDeadLetters > 0 ? [counted(openDeadLetters, 'open dead letter')] : []),
  ];
  return reasons.length === 0 ? '' : `\nkept, although as old: ${reasons.join(', ')}`;
}
