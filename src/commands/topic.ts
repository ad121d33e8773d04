/** `visionscale topic …` */
import { Command } from 'commander';
import { openDatabase, openResultTopics, openTopic } from '../compose.ts';
import { counted } from '../lib/base/report/table.ts';
import type { TopicGrowth } from '../lib/pipeline/grow-topic.ts';
import type { ConsumerRow } from '../lib/systems/database/tables/consumers.ts';
import { countAbove0 } from './shared/arguments.ts';
import { confirmed, nothingChanged } from './shared/confirm.ts';
import { type Context, infrastructure, runHere, withSettings } from './shared/run.ts';

export function topicCommand(): Command {
  return new Command('topic')
    .description('Add partitions to the topic')
    .addCommand(growCommand().exitOverride())
    .addHelpText('after', '\nExample:\n  $ visionscale topic grow --partitions 6');
}

interface GrowFlags {
  partitions: number;
}

function growCommand(): Command {
  const command = new Command('grow')
    .description('Add partitions to the topic, and to the topics of its results')
    .requiredOption('--partitions <n>', 'How many there are to be', countAbove0)
    .option('-y, --yes', 'Do not ask for confirmation')
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale topic grow --partitions 6\n\n' +
        'Nothing has to be stopped: consumers without --partition (or with --group) share\n' +
        'the new partitions within seconds, and what sends uses them. Each new partition\n' +
        'needs a consumer: where all have --partition, start one more for each. Keys are\n' +
        'spread anew, so messages of one image from before and after the change may be\n' +
        'classified in either order, each exactly once. A topic never loses partitions.',
    );
  const settings = [...infrastructure, 'VISIONSCALE_RESULTS_TOPIC'] as const;
  return withSettings(command, settings).action((flags: GrowFlags, command: Command) =>
    runHere(command, grow, flags),
  );
}

async function grow(context: Context, { partitions }: GrowFlags): Promise<number> {
  const [{ growTopics, plannedGrowth }, { readConsumers }] = await Promise.all([
    import('../lib/pipeline/grow-topic.ts'),
    import('../lib/systems/database/tables/consumers.ts'),
  ]);
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  await using results = await openResultTopics(context, database, topic);
  const plan = await plannedGrowth(topic, results, partitions);
  const names = plan.map(({ name }) => name).join(', ');
  if (!context.json && !context.yes) context.say(planned(plan));
  const what = `topic grow gives ${names} ${counted(partitions, 'partition')} for good`;
  if (!(await confirmed(context, what, 'Add them?'))) {
    context.say(nothingChanged);
    return 1;
  }
  const topics = await growTopics(topic, results, partitions);
  const consumers = (await readConsumers(database.pool, pipeline, topic.name)).filter(({ live }) => live);
  const fixed = consumers.filter(({ share }) => share === 'partition');
  const added = numbers(topics.find(({ name }) => name === topic.name));
  const document = {
    topics,
    added,
    consumers: { sharing: consumers.length - fixed.length, fixed: fixed.length },
  };
  context.print(document, () =>
    [
      ...topics.map(({ name, before, partitions: now }) => `${name}: ${now} partitions, ${before} before`),
      ...(added.length === 0 ? [] : [whoTakes(added, consumers, fixed)]),
      ...(context.config.topic.partitions === partitions
        ? []
        : [
            `Set VISIONSCALE_PARTITIONS=${partitions}: the settings here say ${context.config.topic.partitions}.`,
          ]),
    ].join('\n'),
  );
  return 0;
}

/** What it changes, and what it does not. */
function planned(plan: readonly TopicGrowth[]): string {
  return [
    ...plan.map(({ name, before, partitions }) => `${name}: ${before} partitions, ${partitions} from now on`),
    'Existing messages stay where they are. New messages of an image may go to another partition',
    'than its older ones and be classified before them; each is classified exactly once.',
    'A topic never loses partitions.',
  ].join('\n');
}

function numbers(growth: TopicGrowth | undefined): number[] {
  if (growth === undefined) return [];
  const { before, partitions } = growth;
  return Array.from({ length: partitions - before }, (_, n) => before + n);
}

function whoTakes(added: number[], consumers: readonly ConsumerRow[], fixed: readonly ConsumerRow[]): string {
  const sharing = consumers.length - fixed.length;
  const [first] = added;
  const which = added.length === 1 ? `partition ${first}` : `partitions ${first} to ${added.at(-1)}`;
  if (sharing > 0) {
    return `Running consumers that share partitions (${sharing}) take ${which} within seconds; visionscale status shows it.`;
  }
  const start = `start one for each (visionscale consume --partition ${first}${added.length > 1 ? ', …' : ''}), or one that takes them all (visionscale consume)`;
  return fixed.length > 0
    ? `Every running consumer has a partition of its own, so no consumer takes ${which}: ${start}. Restart visionscale up where it runs.`
    : `No consumer is running; for ${which} ${start}.`;
}
