/** What `serve` does: opens everything, waiting for what is away, serves until it is told to stop, and logs what happens. */
import { openDatabase, openTopic } from '../../compose.ts';
import { isRetryable } from '../../lib/base/errors.ts';
import { noLoad } from '../../lib/base/flow/load.ts';
import { packageVersion } from '../../lib/base/package.ts';
import { tokenEntry } from '../../lib/config/http.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { serveMetrics } from '../../lib/observe/metrics/serve.ts';
import { newToken } from '../../lib/pipeline/serve/admission/access.ts';
import type { ServeEvent } from '../../lib/pipeline/serve/options.ts';
import { serve } from '../../lib/pipeline/serve/serve.ts';
import { showAtPort } from '../shared/metrics.ts';
import { patientStart } from '../shared/patient-start.ts';
import { openReadyStore } from '../shared/ready-store.ts';
import type { Context } from '../shared/run.ts';
import { reporter } from './log.ts';

export interface ServeFlags {
  newToken?: string;
}

/** Longest waits for the servers behind this one, in milliseconds: a sender is not kept waiting for longer. */
const queryTimeoutMs = 10_000;
const sendTimeoutMs = 10_000;
const storePatience = { requestTimeoutMs: 10_000, attempts: 2 };

export default async function (context: Context, { newToken: name }: ServeFlags): Promise<void> {
  if (name !== undefined) return printToken(context, name);
  try {
    await run(context);
  } catch (error) {
    // Told to stop while something was away: nothing was accepted.
    if (!(context.signal.aborted && isRetryable(error))) throw error;
  }
}

async function run(context: Context): Promise<void> {
  const { config, signal } = context;
  const patiently = patientStart(context);
  await using database = await patiently(() => openDatabase(context, 'ready', { queryTimeoutMs }));
  await using topic = await patiently(() => openTopic(context, database));
  await using store = await openReadyStore(context, storePatience);
  // As `produce` does.
  await patiently(() => topic.create(config.topic.partitions));
  await using producer = await patiently(() => topic.producer({ timeoutMs: sendTimeoutMs }));
  await using looking = openImagesApart(config.limits, context.onNotice);
  using metrics = new ProcessMetrics('serve');
  const load = noLoad();
  const [count, log] = [serveMetrics(metrics.registry, load), reporter(context)];
  // On a port of their own too, where the settings name one: `serve` itself may be open to others.
  const health = () => ({ alive: true, ready: !signal.aborted, detail: 'serving' });
  await using _shown = await showAtPort(context, metrics, health);
  const report = (event: ServeEvent) => {
    count(event);
    log(event);
  };
  const result = await serve(
    { pool: database.pool, topic, producer, store, looking, metrics, load, report },
    {
      http: config.http,
      pipeline: config.pipeline,
      limits: config.limits,
      imageMemoryBytes: config.imageMemoryBytes,
      version: packageVersion(),
      disks: {
        ...(config.database.kind === 'embedded' && { database: config.database.dataDir }),
        ...(config.store.kind === 'file' && { store: config.store.dir }),
      },
      signal,
    },
  );
  context.print(
    result,
    () =>
      `accepted ${result.accepted} images, refused ${result.refused} requests in ${result.seconds.toFixed(1)} s`,
  );
}

/** The token is nowhere else: what the server keeps does not give it back. */
function printToken(context: Context, name: string): void {
  const token = newToken();
  const entry = tokenEntry(name, token);
  context.print(
    { name, token, entry },
    () =>
      `token, for the sender (VISIONSCALE_TOKEN):\n  ${token}\n` +
      `entry, for the server (VISIONSCALE_TOKENS, entries separated by commas):\n  ${entry}`,
  );
}
