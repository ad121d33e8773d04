/** What `dead-letters show` does: prints one letter and the message it came from. */
import { openDatabase } from '../../compose.ts';
import { printable, type Content, readable } from '../../lib/base/printable.ts';
import { formatBytes } from '../../lib/base/report/table.ts';
import { letterMissing } from '../../lib/pipeline/dead-letters/dead-letters.ts';
import { type FullLetter, readLetter } from '../../lib/systems/database/tables/dead-letters.ts';
import type { Context } from '../shared/run.ts';

/** Characters of a key, a header or a value in the plain output; --json has them whole. */
const mostShown = 1000;

export default async function (context: Context, id: number): Promise<void> {
  const { pipeline } = context.config;
  await using database = await openDatabase(context);
  const letter = await readLetter(database.pool, pipeline, id);
  if (letter === null) throw letterMissing(pipeline, [id]);
  const document = { ...letter, pipeline, key: readable(letter.key), value: readable(letter.value) };
  context.print(document, () => lines(letter, document).join('\n'));
}

function lines(letter: FullLetter, { key, value }: { key: Content; value: Content }): string[] {
  const rows: [string, string | number | null][] = [
    ['dead letter', letter.id],
    ['state', closed(letter)],
    ['reason', letter.message],
    ['code', `${letter.code} (at ${letter.stage})`],
    ['image', letter.imageKey],
    ['request', letter.requestId],
    ['attempts', letter.attempts],
    ['first failed', letter.firstAt.toISOString()],
    ['last failed', `${letter.lastAt.toISOString()} on ${letter.hostname}`],
    ['retry sent', letter.retrySentAt?.toISOString() ?? null],
    ['message', `topic ${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`],
    ['key', shown(key)],
    ...Object.entries(letter.headers).map(([name, text]): [string, string] => [
      `header ${cut(name)}`,
      cut(text),
    ]),
    ['value', shown(value)],
  ];
  return rows.map(([name, text]) => `${`${printable(name)}:`.padEnd(14)} ${printable(text ?? '–')}`);
}

function closed({ state, closedAt }: FullLetter): string {
  return closedAt === null ? state : `${state} at ${closedAt.toISOString()}`;
}

function shown(content: Content): string | null {
  if (content === null) return null;
  const bytes = formatBytes(content.bytes);
  return 'text' in content ? `${cut(content.text)} (${bytes})` : `${cut(content.base64)} (${bytes}, base64)`;
}

function cut(text: string): string {
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}…`;
}
