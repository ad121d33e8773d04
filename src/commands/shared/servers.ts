/** What a service watches of the servers it needs. */
import { askTopic, ServerWatch } from '../../lib/pipeline/server-watch.ts';
import type { Topic } from '../../lib/systems/topic/topic.ts';
import type { Context } from './run.ts';
import { serverLog } from './service-log.ts';

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
