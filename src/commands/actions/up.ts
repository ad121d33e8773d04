/** What `up` does: sets everything up and keeps it running; or asks, or stops, the one that runs. */
import * as compose from '../../compose.ts';
import { findUp, type Place, takePlace } from '../../lib/local/up/place.ts';
import { sharedSettings } from '../../lib/local/up/settings.ts';
import { choosePort, up, type UpEvent } from '../../lib/local/up/up.ts';
import { init } from '../../lib/pipeline/init.ts';
import { stopped } from '../../lib/systems/database/embedded/keeper/enter.ts';
import type { Context } from '../run.ts';
import { withAnyModel } from './up-model.ts';
import { dataDirFlag, isUpAlready, printEnv, stopIt } from './up-other.ts';

export interface UpFlags {
  printEnv?: boolean;
  stop?: boolean;
}

/** Longest wait for the embedded server to end after its last user; another terminal may be using it still. */
const serverEndMs = 5000;

export default async function (context: Context, flags: UpFlags): Promise<number> {
  if (flags.printEnv) return printEnv(context);
  if (flags.stop) return stopIt(context);
  const { config } = context;
  const place = await takePlace(config.dataDir);
  if (place === null) return isUpAlready(context, await findUp(config.dataDir));
  try {
    await stayUp(context, place);
  } finally {
    // Whoever looks after the command has ended finds no process of it.
    if (config.database.kind === 'embedded') await stopped(config.dataDir, serverEndMs);
    await place[Symbol.asyncDispose]();
  }
  return 0;
}

async function stayUp(given: Context, place: Place): Promise<void> {
  const { config, say } = given;
  say(`starting serve and a consumer for each partition, in ${config.dataDir}`);
  await init(config, {
    openDatabase: () => compose.openDatabase(given, 'any'),
    openTopic: (opened) => compose.openTopic(given, opened),
    openResultTopics: (opened, topic) => compose.openResultTopics(given, opened, topic),
    openStore: () => compose.openStore(given),
  });
  await using database = await compose.openDatabase(given);
  await using topic = await compose.openTopic(given, database);
  const context = await withAnyModel(given, database.pool);
  const { env, signal } = context;
  const server = await serverAddress(context);
  const told = {
    pid: process.pid,
    since: new Date().toISOString(),
    ...sharedWith(context, server),
    server,
  };
  const onUp = async () => {
    await place.tell(told);
    const flags = dataDirFlag(context);
    context.print({ state: 'up', pid: process.pid, server, dataDir: config.dataDir }, () =>
      [
        `up: ${server ?? database.describe}`,
        'in another terminal:',
        `  eval "$(visionscale up --print-env${flags})"`,
        '  visionscale upload <dir> && visionscale produce',
        '  visionscale results',
        `Ctrl-C, or visionscale up --stop${flags}, drains and stops it`,
      ].join('\n'),
    );
  };
  const report = (event: UpEvent) => {
    switch (event.kind) {
      case 'said':
        say(`${event.name}: ${event.line}`);
        break;
      case 'ended':
        say(`${event.reason}; starting it again in ${(event.againInMs / 1000).toFixed(1)} s`);
        break;
    }
  };
  const { port: metricsPort } = config.metrics;
  const result = await up(
    { database, topic, env, report, onUp },
    { pipeline: config.pipeline, server, metricsPort, signal },
  );
  context.print({ state: 'down', ...result }, () => `down after ${result.seconds.toFixed(0)} s`);
}

function sharedWith({ config, env }: Context, server: string | null) {
  const { env: open, secrets } = sharedSettings({ ...env, VISIONSCALE_DATA_DIR: config.dataDir });
  return { env: server === null ? open : { ...open, VISIONSCALE_SERVER: server }, secrets };
}

/** As other processes of this machine reach it. */
async function serverAddress({ config, env }: Context): Promise<string> {
  const { host, port } = config.http;
  const chosen = await choosePort(host, port, Boolean(env['VISIONSCALE_HTTP_PORT']));
  const reachable =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  return `http://${reachable}:${chosen}`;
}
