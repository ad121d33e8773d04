/** `visionscale status`: asks once and prints it. */
import { Command } from 'commander';
import { openDatabase, openTopic } from '../compose.ts';
import { VisionscaleError } from '../lib/base/errors.ts';
import { table } from '../lib/base/report/table.ts';
import type { Status } from '../lib/pipeline/status.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

export function statusCommand(): Command {
  return withSettings(
    new Command('status')
      .description('Show progress, the owner of each partition, and what waits and why')
      .addHelpText('after', '\nExample:\n  $ visionscale status --json'),
    infrastructure,
  ).action((_options, command: Command) => runHere(command, showStatus));
}

/** Loaded when it runs. */
const heavy = () => import('../lib/pipeline/status.ts');

async function showStatus(context: Context): Promise<number> {
  const { status } = await heavy();
  await using database = await openDatabase(context);
  const { config } = context;
  const opened = await openTopic(context, database).catch((error: unknown) => {
    if (error instanceof VisionscaleError) return error;
    throw error;
  });
  await using topic = opened instanceof VisionscaleError ? null : opened;
  const result = await status(database.pool, config.topic.name, topic ?? opened, config.pipeline);
  context.print(result, () =>
    [
      `images ${result.images}, produced ${result.produced}, predictions ${result.predictions}, dead letters ${result.deadLetters}${result.ignored > 0 ? `, ignored ${result.ignored}` : ''}`,
      ...deadLetterLine(result.deadLettersByCode),
      `topic ${result.topic}, pipeline ${result.pipeline}${result.model.active === null ? '' : `, model ${result.model.active}`}${result.bins === null ? '' : `, bins version ${result.bins.version}`}`,
      ...unpublishedLine(result.unpublished),
      ...refusedLine(result.refused),
      ...(result.round === null
        ? []
        : [
            `a round of ${result.round.images} images is open, ${result.round.left} keys are left: visionscale produce`,
          ]),
      '',
      table(result.partitions, [
        { title: 'partition', value: (p) => p.partition, align: 'right' },
        { title: 'lag', value: (p) => p.lag, align: 'right' },
        { title: 'state', value: (p) => p.state },
        { title: 'owner', value: (p) => p.owner },
        {
          title: 'model',
          value: (p) => (p.model === null ? null : `${p.model} ${p.modelDigest?.slice(7, 15) ?? ''}`),
        },
        { title: 'why', value: (p) => p.detail },
      ]),
      ...(result.model.disagreement
        ? ['\nthe consumers do not all run the same model, or not the active one']
        : []),
      ...result.problems.map((problem) => `\nproblem: ${problem}`),
    ].join('\n'),
  );
  return result.problems.length > 0 ? 1 : 0;
}

function unpublishedLine({ results, deadLetters, oldestSeconds }: Status['unpublished']): string[] {
  if (oldestSeconds === null) return [];
  const age = Math.max(0, Math.round(oldestSeconds));
  return [
    `${results} results and ${deadLetters} dead letters are not published yet, the oldest for ${age} s`,
  ];
}

function refusedLine({ results, deadLetters, reason }: Status['refused']): string[] {
  if (results + deadLetters === 0) return [];
  return [`${results} results and ${deadLetters} dead letters were refused by their topics: ${reason}`];
}

function deadLetterLine(byCode: Record<string, number>): string[] {
  const counts = Object.entries(byCode).map(([code, letters]) => `${code} ${letters}`);
  return counts.length === 0 ? [] : [`dead letters: ${counts.join(', ')} (visionscale dead-letters list)`];
}
