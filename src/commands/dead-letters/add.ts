/** What `dead-letters add` does: shows the message, asks, and moves it into a dead letter. */
import { hostname } from 'node:os';
import { openDatabase, openTopic } from '../../compose.ts';
import { accountName } from '../../lib/base/account.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { printable, readable } from '../../lib/base/printable.ts';
import { ask, canAsk } from '../../lib/base/report/ask.ts';
import { formatBytes } from '../../lib/base/report/table.ts';
import { type Added, addDeadLetter, type FoundMessage } from '../../lib/pipeline/dead-letters/add.ts';
import type { Context } from '../shared/run.ts';

export interface AddLetterFlags {
  partition: number;
  offset: number;
  reason?: string;
}

/** Characters of the message's value in the question. */
const mostShown = 200;

export default async function (
  context: Context,
  { partition, offset, reason }: AddLetterFlags,
): Promise<number> {
  const { config, yes, signal } = context;
  if (!yes && !canAsk(context)) {
    throw new UsageError('dead-letters add asks before it moves a message; without a terminal, add --yes');
  }
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  const confirm = async (found: FoundMessage): Promise<boolean> => {
    if (yes) return true;
    context.say(shown(found, config.pipeline));
    return ask('Move it into a dead letter? It gets no result unless the letter is retried.', false, signal);
  };
  const added = await addDeadLetter(database.pool, topic, {
    pipeline: config.pipeline,
    partition,
    offset,
    rules: config.messages,
    by: `${accountName()} on ${hostname()}`,
    reason: reason ?? null,
    hostname: hostname(),
    publish: config.resultsTopic,
    confirm,
  });
  if (added === null) {
    context.say('nothing was changed');
    return 1;
  }
  context.print({ ...added, topic: topic.name }, () => told(added, topic.name));
  return 0;
}

function shown({ record, requestId, imageKey }: FoundMessage, pipeline: string): string {
  const { topic, partition, offset, timestamp, value } = record;
  const content = readable(value);
  const text = content === null ? '' : 'text' in content ? content.text : content.base64;
  return [
    `message   ${topic}/${partition}/${offset}, sent at ${new Date(timestamp).toISOString()}`,
    `pipeline  ${pipeline}`,
    `request   ${printable(requestId)}${imageKey === null ? '' : `, image ${printable(imageKey)}`}`,
    `value     ${printable(text.slice(0, mostShown))}${text.length > mostShown ? '…' : ''} (${formatBytes(value?.length ?? 0)})`,
  ].join('\n');
}

function told(
  { letter, isNew, requestId, partition, offset, position, owner }: Added,
  topic: string,
): string {
  const what =
    letter === null
      ? `the request ${printable(requestId)} of message ${topic}/${partition}/${offset} has a result already`
      : `message ${topic}/${partition}/${offset} is dead letter ${letter}${isNew ? '' : ', which was there already'}`;
  if (position <= offset) {
    return `${what}; partition ${partition} is still at offset ${position}: earlier messages come first`;
  }
  const who = owner === null ? 'the next consumer continues' : 'its consumer continues within seconds';
  return `${what}; ${who} at offset ${position}`;
}
