/** What a service watches of the servers it needs. */
import { durationText } from '../../lib/base/duration.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { askTopic, called, type ServerName, ServerWatch } from '../../lib/pipeline/server-watch.ts';
import type { Topic } from '../../lib/systems/topic/topic.ts';
import type { Context } from './run.ts';
import { serverLog } from './service-log.ts';

/** Begins with no server: each is added when it is opened. Gives up the command where one stays away for longer than the settings allow. */
export function watchServers(context: Pick<Context, 'log' | 'config' | 'giveUp'>): ServerWatch {
  const servers = new ServerWatch();
  servers.listen(serverLog(context));
  const { giveUpAfterMs } = context.config;
  if (giveUpAfterMs === undefined) return servers;
  const timers = new Map<ServerName, NodeJS.Timeout>();
  servers.listen((event) => {
    if (event.kind === 'away' && event.again) return;
    clearTimeout(timers.get(event.server));
    if (event.kind === 'back') return;
    const giveUp = () => {
      const reason = servers.away.find(({ server }) => server === event.server)?.reason ?? event.reason;
      context.giveUp(gaveUp(event.server, giveUpAfterMs, reason));
    };
    timers.set(event.server, setTimeout(giveUp, giveUpAfterMs).unref());
  });
  return servers;
}

function gaveUp(server: ServerName, afterMs: number, reason: string): VisionscaleError {
  return new VisionscaleError(`gave up ${called[server]}, away for ${durationText(afterMs)}: ${reason}`, {
    code: 'gave_up',
    hint: 'Nothing is lost: start it again. Without --give-up-after (VISIONSCALE_GIVE_UP_AFTER) it waits forever.',
  });
}

/** A topic in the database is the database. */
export function watchTopic(servers: ServerWatch, topic: Topic, options: { existing: boolean }): Disposable {
  const question = askTopic(topic, options);
  return question === null ? { [Symbol.dispose]: () => undefined } : servers.watch('topic', question);
}
