/** What `up` does: sets everything up and keeps it running; or asks, or stops, the one that runs. */
import type { Pool } from 'pg';
import { openDatabase, openTopic } from '../../compose.ts';
import { findDemo, findUp, type Place, takePlace } from '../../lib/local/up/place.ts';
import { sharedSettings } from '../../lib/local/up/settings.ts';
import { choosePort, up, type UpEvent } from '../../lib/local/up/up.ts';
import { partsModelDirectory, readEntry } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { init } from '../../lib/pipeline/init.ts';
import { readActiveDigest } from '../../lib/systems/database/tables/models.ts';
import {
  dataDirFlag,
  embeddedServerEnded,
  serverAddress,
  withBundledModel,
} from '../shared/on-this-machine.ts';
import { openers } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { demoRuns, isUpAlready, printEnv, stopIt } from './other.ts';

export interface UpFlags {
  printEnv?: boolean;
  stop?: boolean;
}

export default async function (context: Context, flags: UpFlags): Promise<number> {
  if (flags.printEnv) return printEnv(context);
  if (flags.stop) return stopIt(context);
  const { config } = context;
  const demo = await findDemo(config.dataDir);
  if (demo !== null) throw demoRuns(config.dataDir, demo);
  const place = await takePlace(config.dataDir);
  if (place === null) throw isUpAlready(context, await findUp(config.dataDir));
  try {
    await stayUp(context, place);
  } finally {
    await embeddedServerEnded(context);
    await place[Symbol.asyncDispose]();
  }
  return 0;
}

/** A connection that has gone silent is given up after this, in milliseconds: until then `up` cannot end. */
const queryTimeoutMs = 15_000;

async function stayUp(given: Context, place: Place): Promise<void> {
  const { config, say } = given;
  say(`starting serve and a consumer for each partition, in ${config.dataDir}`);
  await init(config, openers(given));
  await using database = await openDatabase(given, 'ready', { queryTimeoutMs });
  await using topic = await openTopic(given, database);
  const context = await withAnyModel(given, database.pool);
  const { env, signal } = context;
  const { host, port } = config.http;
  const chosen = await choosePort(host, port, Boolean(env['VISIONSCALE_HTTP_PORT']));
  const server = serverAddress(context, chosen);
  const told = {
    pid: process.pid,
    since: new Date().toISOString(),
    ...sharedWith(context, server),
    server,
  };
  const onUp = async () => {
    await place.tell(told);
    const flag = dataDirFlag(context);
    context.print({ state: 'up', pid: process.pid, server, dataDir: config.dataDir }, () =>
      [
        'up, until Ctrl-C or, in another terminal,',
        `  visionscale up --stop${flag}`,
        'to send images and read results in another terminal:',
        `  eval "$(visionscale up --print-env${flag})"`,
        '  visionscale upload <dir> && visionscale produce',
        '  visionscale results',
        'to watch it, open the live page in a browser:',
        `  ${server}`,
      ].join('\n'),
    );
  };
  const report = (event: UpEvent) => {
    switch (event.kind) {
      case 'said':
        say(`${event.name}: ${event.line}`);
        break;
      case 'ended':
        say(`${event.reason}; restarting it in ${(event.againInMs / 1000).toFixed(1)} s`);
        break;
    }
  };
  const { port: metricsPort } = config.metrics;
  const result = await up(
    { database, topic, env, report, onUp },
    { pipeline: config.pipeline, server, metricsPort, signal },
  );
  context.print({ state: 'down', ...result }, () => `stopped after ${result.seconds.toFixed(0)} s`);
}

function sharedWith({ config, env }: Context, server: string) {
  const { env: open, secrets } = sharedSettings({ ...env, VISIONSCALE_DATA_DIR: config.dataDir });
  return { env: { ...open, VISIONSCALE_SERVER: server }, secrets };
}

/** A model for the consumers, else the one that comes with visionscale. Chosen is what the settings name, what `model use` made the pipeline's, or the active one of this user's store. */
async function withAnyModel(context: Context, pool: Pool): Promise<Context> {
  const { config, say } = context;
  if (config.model !== undefined) return context;
  if ((await readActiveDigest(pool, config.pipeline)) !== null) return context;
  if ((await openModelStore(config.models).active()) !== undefined) return context;
  const bundled = await readEntry(partsModelDirectory, { bundled: true });
  const knows = bundled?.manifest?.knows;
  say(
    `no model is chosen: using ${bundled?.name ?? 'the bundled model'}` +
      `${knows === undefined ? '' : `, which only recognises ${knows}`} (for another: --model, or visionscale model use, then up again)`,
  );
  return withBundledModel(context);
}
