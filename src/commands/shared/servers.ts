/** What a service watches of the servers it needs, and what its log says of them. */
import { ageText } from '../../lib/base/report/age.ts';
import {
  askTopic,
  called,
  type ServerEvent,
  type Servers,
  ServerWatch,
} from '../../lib/pipeline/server-watch.ts';
import type { Topic } from '../../lib/systems/topic/topic.ts';
import type { Context } from './run.ts';

/** Begins with no server: each is added when it is opened. */
export function watchServers(context: Pick<Context, 'log'>): ServerWatch {
  const servers = new ServerWatch();
  servers.listen(serverLog(context));
  return servers;
}

/** A topic in the database is the database. */
export function watchTopic(servers: ServerWatch, topic: Topic, options: { existing: boolean }): Disposable {
  const question = askTopic(topic, options);
  return question === null ? { [Symbol.dispose]: () => undefined } : servers.watch('topic', question);
}

/** How long the same reason for waiting is no news, in milliseconds. */
const sayAgainMs = 60_000;

/** Whether a step's reason for waiting is worth a line: another one than before, or after a while, and no server is known to be away. */
export function waitNews(servers: Servers): (reason: string) => boolean {
  let told: { reason: string; at: number } | undefined;
  return (reason) => {
    if (servers.away.length > 0) return false;
    if (told?.reason === reason && performance.now() - told.at < sayAgainMs) return false;
    told = { reason, at: performance.now() };
    return true;
  };
}

/** A warning when a server goes away and every minute while it stays away, and one line when it is back. */
export function serverLog({ log }: Pick<Context, 'log'>): (event: ServerEvent) => void {
  return (event) => {
    const { server, since } = event;
    const lasted = ageText(Date.now() - since.getTime());
    if (event.kind === 'back') {
      log.info({ server, since }, `${called[server]} is back after ${lasted}`);
      return;
    }
    // What opens it has said so.
    if (event.starting) return;
    log.warn(
      { server, since },
      `waiting for ${called[server]}${event.again ? ` for ${lasted}` : ''}: ${event.reason}`,
    );
  };
}
