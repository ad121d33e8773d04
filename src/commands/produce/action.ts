/** What `produce` does: sends the keys, showing how far it is; with --follow, for as long as it is left running. */
import { openDatabase, openStore, openTopic } from '../../compose.ts';
import { isRetryable } from '../../lib/base/errors.ts';
import type { Patience } from '../../lib/base/flow/retry.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { counted } from '../../lib/base/report/table.ts';
import type { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { partitionWarning } from '../../lib/pipeline/init.ts';
import { produce, type ProduceEvent, type ProduceResult } from '../../lib/pipeline/produce.ts';
import { askDatabase, type Servers, type ServerWatch } from '../../lib/pipeline/server-watch.ts';
import { showWaiting } from '../shared/metrics.ts';
import { patientStart } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { watchServers, watchTopic } from '../shared/servers.ts';
import { linesFor, ServiceProgress, Waiting } from '../shared/service-log.ts';

export interface ProduceFlags {
  again?: boolean;
  missing?: boolean;
  limit?: number;
  rate?: number;
  belt?: string;
  follow?: boolean;
}

export default async function (context: Context, options: ProduceFlags): Promise<number> {
  const { signal, say, onNotice } = context;
  const follow = options.follow === true;
  try {
    const servers = watchServers(context);
    await using metrics = await showWaiting(context, 'produce', servers, (shown) =>
      feedMetrics(shown, servers),
    );
    using opening = new Waiting(follow ? context.log : linesFor(say), { servers });
    const waits = follow || context.config.giveUpAfterMs !== undefined;
    const start: Patience = waits ? patientStart(context, opening) : (step) => step();
    await using database = await start(() =>
      servers.opening('database', () => openDatabase(context, 'ready', follow ? { queryTimeoutMs } : {})),
    );
    await using topic = await start(() => servers.opening('topic', () => openTopic(context, database)));
    await using store = options.missing === true ? await openStore(context) : null;
    using _database = follow ? servers.watch('database', askDatabase(database)) : null;
    using _topic = follow ? watchTopic(servers, topic, { existing: false }) : null;
    using shown = follow ? followLog(context, servers) : progressBar(context);
    const result = await produce(
      {
        pool: database.pool,
        topic,
        report(event) {
          metrics.hear(event);
          if (event.kind === 'waiting') servers.look();
          if (event.kind === 'topic') {
            if (event.created)
              onNotice(`created topic ${event.name} with ${counted(event.partitions, 'partition')}`);
            partitionWarning(event.name, event, event.wanted).forEach(onNotice);
          }
          shown.hear(event);
        },
      },
      {
        again: options.again === true,
        ...(store !== null && { missing: { pipeline: context.config.pipeline, store } }),
        partitions: context.config.topic.partitions,
        follow,
        signal,
        giveUpAfterMs: context.config.giveUpAfterMs,
        ...(options.limit !== undefined && { limit: options.limit }),
        ...(options.rate !== undefined && { rate: options.rate }),
        ...(options.belt !== undefined && { belt: options.belt }),
      },
    );
    shown[Symbol.dispose]();
    const interrupted = signal.aborted && !follow;
    context.print(result, () => summary(result, signal.aborted));
    if (interrupted) say('interrupted; run it again to continue');
    return interrupted ? 1 : 0;
  } catch (error) {
    // Told to stop while something was away: what was not acknowledged is sent by the next run.
    if (follow && signal.aborted && isRetryable(error)) return 0;
    throw error;
  }
}

/** While it follows, a connection that has gone silent is given up after this, in milliseconds; the kernel would wait for hours. */
const queryTimeoutMs = 15_000;

function summary(result: ProduceResult, interrupted: boolean): string {
  if (result.produced === 0 && !interrupted) {
    return result.images === 0
      ? 'nothing to send: no image has been uploaded'
      : 'nothing to send: all images have been sent already (--again resends)';
  }
  const left = result.left > 0 ? `; ${result.left} are left` : '';
  return `produced ${counted(result.produced, 'key')} to ${result.topic} (partitions ${result.partitions.join(', ')}) in ${result.seconds.toFixed(1)} s${left}`;
}

async function feedMetrics({ registry }: ProcessMetrics, servers: ServerWatch) {
  const { producerMetrics } = await import('../../lib/observe/metrics/senders.ts');
  return producerMetrics(registry, servers);
}

interface ProduceLog extends Disposable {
  hear(event: ProduceEvent): void;
}

function progressBar({ interactive, say }: Context): ProduceLog {
  const waiting = new Waiting(linesFor(say));
  const progress = new Progress({ label: 'produce', unit: 'keys', interactive, line: say });
  return {
    hear(event) {
      if (event.kind !== 'waiting') waiting.over();
      switch (event.kind) {
        case 'round':
          say(`${event.resumed ? 'finishing' : 'opened'} a round of ${counted(event.images, 'image')}`);
          break;
        case 'pending':
          progress.expect(event.images);
          break;
        case 'waiting':
          waiting.for(event.reason);
          break;
        case 'produced':
          progress.advance(event.images);
          break;
        case 'posted':
          if (event.sent > 0) say(`sent ${counted(event.sent, 'image')} again that came by HTTP`);
          if (event.gone > 0)
            say(
              `${counted(event.gone, 'image')} that came by HTTP were in the topic alone: their senders have to send them again`,
            );
          break;
        case 'topic':
        case 'following':
          break;
      }
    },
    [Symbol.dispose]() {
      waiting[Symbol.dispose]();
      progress[Symbol.dispose]();
    },
  };
}

/** A line a key only at debug. */
function followLog(context: Context, servers: Servers): ProduceLog {
  const { log } = context;
  const waiting = new Waiting(log, { servers });
  let left: number | null = null;
  const progress = new ServiceProgress(context, 'key', { word: 'left', count: () => left });
  return {
    hear(event) {
      if (event.kind !== 'waiting') waiting.over();
      switch (event.kind) {
        case 'round':
          log.info({ images: event.images }, event.resumed ? 'finishing a round' : 'opened a round');
          break;
        case 'waiting':
          waiting.for(event.reason);
          break;
        case 'produced':
          progress.add(event.images);
          left = Math.max(0, (left ?? 0) - event.images);
          log.debug({ images: event.images }, 'produced');
          break;
        case 'following':
          log.info('following: sending the keys of new images as they are inserted');
          break;
        case 'pending':
          left = event.images;
          break;
        case 'topic':
        case 'posted':
          break;
      }
    },
    [Symbol.dispose]() {
      waiting[Symbol.dispose]();
      progress[Symbol.dispose]();
    },
  };
}
