/** What `serve` does: opens everything, waiting for what is away, serves until it is told to stop, and logs what happens. */
import { openClassifier, openDatabase, openTopic } from '../../compose.ts';
import { errorMessage, isRetryable, UsageError } from '../../lib/base/errors.ts';
import { noLoad } from '../../lib/base/flow/load.ts';
import { packageVersion } from '../../lib/base/package.ts';
import { counted } from '../../lib/base/report/table.ts';
import { tokenEntry, type TokenRole } from '../../lib/config/http.ts';
import type { LoadedModel } from '../../lib/models/format/model.ts';
import { openImagesApart } from '../../lib/models/images/apart.ts';
import { ProcessMetrics } from '../../lib/observe/metrics/metrics.ts';
import { serveMetrics } from '../../lib/observe/metrics/serve.ts';
import { serversHealth } from '../../lib/observe/metrics/server.ts';
import { newToken } from '../../lib/pipeline/serve/admission/access.ts';
import { readCertificate } from '../../lib/pipeline/serve/certificate.ts';
import type { CompareModels, ServeEvent } from '../../lib/pipeline/serve/context.ts';
import { serve } from '../../lib/pipeline/serve/serve.ts';
import { askDatabase, askStore } from '../../lib/pipeline/server-watch.ts';
import { showAtPort } from '../shared/metrics.ts';
import { modelAnswers } from '../shared/model-labels.ts';
import { patientStart, openReadyStore } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { watchServers, watchTopic } from '../shared/servers.ts';
import { ServiceProgress, Waiting } from '../shared/service-log.ts';

export interface ServeFlags {
  newToken?: string;
  role?: TokenRole;
}

/** Longest waits for the servers behind this one, in milliseconds: a sender is not kept waiting for longer. */
const queryTimeoutMs = 10_000;
const sendTimeoutMs = 10_000;
const storePatience = { requestTimeoutMs: 10_000, attempts: 2 };

export default async function (context: Context, { newToken: name, role }: ServeFlags): Promise<void> {
  if (name !== undefined) return printToken(context, name, role);
  if (role !== undefined) throw new UsageError('--role needs --new-token NAME beside it');
  try {
    await run(context);
  } catch (error) {
    // Told to stop while something was away: nothing was accepted.
    if (!(context.signal.aborted && isRetryable(error))) throw error;
  }
}

async function run(context: Context): Promise<void> {
  const { config, signal } = context;
  // At once, not after everything that is waited for.
  if (config.http.tls) readCertificate(config.http.tls);
  const servers = watchServers(context);
  using opening = new Waiting(context.log, { servers });
  const patiently = patientStart(context, opening);
  using metrics = new ProcessMetrics('serve');
  const load = noLoad();
  const [count, log] = [serveMetrics(metrics.registry, load, servers), serveLog(context)];
  // On a port of their own too, where the settings name one: `serve` itself may be open to others.
  let listening = false;
  const ofServers = serversHealth(signal, servers);
  const health = () => {
    const all = ofServers();
    return all.ready && !listening ? { ...all, ready: false, detail: 'starting' } : all;
  };
  await using _shown = await showAtPort(context, metrics, health);
  await using database = await patiently(() =>
    servers.opening('database', () => openDatabase(context, 'ready', { queryTimeoutMs })),
  );
  using _database = servers.watch('database', askDatabase(database));
  await using topic = await patiently(() => servers.opening('topic', () => openTopic(context, database)));
  await using store = await openReadyStore(context, storePatience);
  using _store = servers.watch('store', askStore(store, { listable: true }));
  // As `produce` does.
  await patiently(() => topic.create(config.topic.partitions));
  using _topic = watchTopic(servers, topic, { existing: true });
  await using producer = await patiently(() => topic.producer({ timeoutMs: sendTimeoutMs }));
  await using looking = openImagesApart(config.limits, context.onNotice);
  const report = (event: ServeEvent) => {
    if (event.kind === 'listening') listening = true;
    count(event);
    log(event);
  };
  const answers = () => modelAnswers(context, database.pool);
  const { pool } = database;
  const open = (model: LoadedModel) =>
    openClassifier({ ...context, config: { ...config, workers: 1 } }, model, { background: true });
  const compare: CompareModels = async (wanted, how) => {
    const { comparePublished } = await import('../../lib/learning/evaluate/compare-published.ts');
    const { pipeline, limits } = config;
    return comparePublished({ pool, store, looking, open, pipeline, limits }, wanted, how);
  };
  const result = await serve(
    { pool, topic, producer, store, looking, answers, compare, servers, metrics, load, report },
    {
      http: config.http,
      pipeline: config.pipeline,
      limits: config.limits,
      imageMemoryBytes: config.imageMemoryBytes,
      ...(config.deadlineMs !== undefined && { deadlineMs: config.deadlineMs }),
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
      `accepted ${counted(result.accepted, 'image')}, refused ${counted(result.refused, 'request')} in ${result.seconds.toFixed(1)} s`,
  );
}

/** The token is nowhere else: what the server keeps does not give it back. */
function printToken(context: Context, name: string, role?: TokenRole): void {
  const token = newToken();
  const entry = tokenEntry(name, token, role);
  context.print(
    { name, token, entry },
    () =>
      `token, for the sender (VISIONSCALE_TOKEN):\n  ${token}\n` +
      `entry, for the server (VISIONSCALE_TOKENS, entries separated by commas):\n  ${entry}`,
  );
}

/** The same fault is told again after this, in milliseconds. */
const tellAgainMs = 5000;

function serveLog(context: Context): (event: ServeEvent) => void {
  const { log } = context;
  const progress = new ServiceProgress(context, 'image');
  const faults = new Map<string, { at: number; more: number }>();
  return (event) => {
    switch (event.kind) {
      case 'listening':
        log.info({ url: event.url }, `listening on ${event.url}`);
        if (event.access === 'read-only') {
          log.warn(
            'no tokens are set and this is not a loopback address: read-only, accepts no images and changes nothing (serve --new-token NAME makes a token)',
          );
        }
        break;
      case 'accepted': {
        progress.add(1);
        const { id, way, bytes, ms } = event;
        log.debug({ id, way, bytes, ms: Math.round(ms) }, 'accepted');
        break;
      }
      case 'answered': {
        const { method, route, status, ms } = event;
        log.debug({ method, route, status, ms: Math.round(ms) }, 'answered');
        break;
      }
      case 'refused':
        log.debug({ status: event.status, code: event.code }, 'refused');
        break;
      case 'comparing': {
        const { models, images, by } = event;
        log.info(
          { models, by },
          `comparing ${models.join(' and ')} on up to ${counted(images, 'image')} in the background`,
        );
        break;
      }
      case 'failed': {
        const { status, code, error } = event;
        const seen = faults.get(code);
        if (seen && performance.now() - seen.at < tellAgainMs) {
          seen.more++;
          break;
        }
        faults.set(code, { at: performance.now(), more: 0 });
        const own = status === 500 && error instanceof Error ? { stack: error.stack } : {};
        const more = seen?.more ? ` (and ${seen.more} more since the last time)` : '';
        log.error({ status, code, ...own }, `${errorMessage(error)}${more}`);
        break;
      }
      case 'certificate':
        log.info(`new certificate, valid until ${event.validTo.toISOString()}`);
        break;
      case 'certificate failed':
        log.error(`the new certificate cannot be used, the old one stays: ${event.reason}`);
        break;
      case 'draining':
        log.info('stopping: finishing images in flight');
        break;
      case 'cut off':
        log.warn({ connections: event.connections }, 'closed connections that did not finish in time');
        break;
    }
  };
}
