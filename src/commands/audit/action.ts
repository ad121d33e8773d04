/** What `audit` does: compares everything, then prints counts and names. */
import { openDatabase, openStore, openTopic } from '../../compose.ts';
import { counted, table } from '../../lib/base/report/table.ts';
import { audit, type AuditEvent, type AuditResult, findingClasses } from '../../lib/pipeline/audit/audit.ts';
import type { Context } from '../shared/run.ts';
import { StageBars } from '../shared/stage-bars.ts';

export interface AuditFlags {
  limit: number;
  /** False with --no-objects. */
  objects?: boolean;
}

export default async function (context: Context, options: AuditFlags): Promise<number> {
  await using database = await openDatabase(context);
  await using topic = await openTopic(context, database);
  await using store = options.objects === false ? null : await openStore(context);
  using bars = new StageBars(context);
  const result = await audit(
    { pool: database.pool, topic, store, report: shown(context, bars) },
    {
      pipeline: context.config.pipeline,
      rules: context.config.messages,
      limit: options.limit,
      nameUnlisted: options.objects === true,
      signal: context.signal,
    },
  );
  bars.end();
  context.print(result, () => text(result));
  return result.ok ? 0 : 1;
}

/** One bar for the messages, then one for the images. */
function shown({ interactive, say }: Context, bars: StageBars): (event: AuditEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'topic':
        return bars.begin('audit topic', 'messages', event.offsets);
      case 'images':
        return bars.begin('audit objects', 'images', event.images);
      case 'read':
        return bars.advance(event.offsets);
      case 'compared':
        return bars.advance(event.images);
      case 'comparing':
        bars.end();
        if (interactive) say('comparing requests and outcomes');
        return;
      case 'notice':
        return say(event.text);
    }
  };
}

function text(result: AuditResult): string {
  const names = findingClasses.flatMap((found) => result.named[found].map((one) => ({ found, ...one })));
  const { unlisted, unverifiable, unnamed } = result;
  return [
    `pipeline ${result.pipeline}, topic ${result.topic}, in ${result.seconds.toFixed(1)} s`,
    `images ${result.images} (${result.toProduce} to produce), messages ${result.messages} (${counted(result.waiting, 'request')} waiting), predictions ${result.predictions}, dead letters ${result.deadLetters}${result.objects === null ? '' : `, objects ${result.objects}`}`,
    `missing ${result.missing}, doubled ${result.doubled}, orphaned ${result.orphaned}: ${result.ok ? 'everything is accounted for' : 'not everything is accounted for'}`,
    ...(result.mismatched > 0
      ? [`mismatched ${result.mismatched}: outcomes with the request id of another image`]
      : []),
    ...(unverifiable > 0
      ? [`${unverifiable} outcomes of messages that the topic no longer has: they cannot be checked`]
      : []),
    ...(unlisted !== null && unlisted > 0 && !names.some((n) => n.found === 'orphaned' && n.kind === 'object')
      ? [
          `${unlisted} objects that nothing refers to, for example from an interrupted upload (--objects lists them)`,
        ]
      : []),
    ...(names.length > 0
      ? [
          '',
          table(names, [
            { title: 'class', value: (n) => n.found },
            { title: 'kind', value: (n) => n.kind },
            { title: 'key', value: (n) => n.key },
            { title: 'request', value: (n) => n.requestId ?? null },
            { title: 'detail', value: (n) => n.detail },
          ]),
        ]
      : []),
    ...(unnamed > 0 ? [`and ${unnamed} more (--limit)`] : []),
  ].join('\n');
}
