/** What `consume` does: owns partitions until it is told to stop, and logs what happens. */
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import {
  openBuckets,
  openDatabase,
  openResultTopics,
  openStore,
  openTopic,
  ownerName,
} from '../../compose.ts';
import { endWithin } from '../../lib/base/end-within.ts';
import { noLoad } from '../../lib/base/flow/load.ts';
import { counted } from '../../lib/base/report/table.ts';
import type { ConsumerSources } from '../../lib/observe/metrics/consumer.ts';
import { supervised } from '../../lib/observe/service-manager/supervised.ts';
import type { Tracing } from '../../lib/observe/tracing.ts';
import {
  atStart,
  consume,
  type ConsumeResult,
  isWaitedFor,
  type Share,
} from '../../lib/pipeline/consume/consume.ts';
import type { Models } from '../../lib/pipeline/consume/models.ts';
import { type ConsumeEvent, endMs } from '../../lib/pipeline/consume/options.ts';
import { Presence } from '../../lib/pipeline/consume/presence.ts';
import { DriftWatch } from '../../lib/pipeline/drift/drift.ts';
import { askDatabase, askStore } from '../../lib/pipeline/server-watch.ts';
import { oldestInOutbox } from '../../lib/systems/database/tables/outbox.ts';
import { parseSince } from '../../lib/systems/message/values.ts';
import { showMetrics, type Shown } from '../shared/metrics.ts';
import type { Context } from '../shared/run.ts';
import { watchServers, watchTopic } from '../shared/servers.ts';
import { consumeLog } from './log.ts';
import { openModels } from './models.ts';

export interface ConsumeFlags {
  partition?: number;
  group?: boolean;
  untilDrained?: boolean;
  skipExpired?: boolean;
  from?: string;
}

export default async function (context: Context, options: ConsumeFlags): Promise<void> {
  try {
    const result = await runConsumer(context, options);
    context.print(
      result,
      () =>
        `${counted(result.predicted, 'prediction')}, ${counted(result.deadLettered, 'dead letter')} in ${result.seconds.toFixed(1)} s (${result.imagesPerSecond.toFixed(1)} images/s)`,
    );
  } catch (error) {
    // Told to stop while something was away: nothing was begun that is not recorded.
    if (!(context.signal.aborted && isWaitedFor(error))) throw error;
  }
}

/** Until the signal or, with `untilDrained`, until caught up. */
export async function runConsumer(context: Context, options: ConsumeFlags): Promise<ConsumeResult> {
  const { config } = context;
  const { ownsProcess, service, signal, onNotice } = context;
  const replayFrom = options.from === undefined ? undefined : parseSince(options.from, new Date(), '--from');
  const endProcessWithin = ownsProcess ? endWithin : () => undefined;
  signal.addEventListener('abort', () => endProcessWithin(endMs), { once: true });
  const readyAtOnce = options.group === true;
  const servers = watchServers(context);
  await using supervisor = supervised(service, { signal, onNotice, readyAtOnce, servers });
  const lagKnown = () =>
    !servers.away.some(({ server }) => server === (config.topic.kind === 'kafka' ? 'topic' : 'database'));
  const load = noLoad();
  let models: Models | null = null;
  let pool: Pool | null = null;
  const drift = new DriftWatch({
    pool: () => pool,
    pipeline: config.pipeline,
    report: (event) => report(event),
  });
  await using metrics = await showConsumer(context, {
    load,
    classifier: () => models?.pipelines ?? null,
    oldestUnpublished: async () =>
      pool === null ? null : ((await oldestInOutbox(pool, config.pipeline, config.topic.name)) ?? 0),
    modelProblem: () => models?.problem() ?? null,
    belts: () => drift.belts(),
    servers,
    lagKnown,
    group: readyAtOnce,
  });
  await using tracing = await traced(context);
  let tellPresence: (event: ConsumeEvent) => void = () => undefined;
  const hearPresence = (event: ConsumeEvent) => tellPresence(event);
  const tell = toAll(
    consumeLog(context, { servers, lagKnown }),
    supervisor.hear,
    metrics.hear,
    tracing.hear,
    hearPresence,
    (event) => drift.see(event),
  );
  const report = (event: ConsumeEvent) => {
    // Whatever hangs may keep this process from closing what it opened, and from ending.
    if (event.kind === 'giving up') endProcessWithin(stuckMs);
    if (event.kind === 'waiting') servers.look();
    tell(event);
  };
  const untilDrained = options.untilDrained === true;
  const patiently = atStart({ signal, untilDrained, forMs: config.giveUpAfterMs }, report);
  await using database = await patiently(() =>
    servers.opening('database', () => openDatabase(context, 'ready', { queryTimeoutMs })),
  );
  pool = database.pool;
  using _database = servers.watch('database', askDatabase(database));
  const share = shareOf(options, config.partition);
  const owner = ownerName();
  await using presence = new Presence(
    {
      ...{ pool: database.pool, signal, servers },
      classifier: () => models?.pipelines ?? null,
      drifts: () => drift.drifts(),
    },
    {
      ...{ owner, hostname: hostname(), pipeline: config.pipeline, topic: config.topic.name },
      ...{ share: share.kind, partition: share.kind === 'partition' ? share.partition : null },
    },
  );
  tellPresence = (event) => presence.see(event);
  await using topic = await patiently(() => servers.opening('topic', () => openTopic(context, database)));
  using _topic = watchTopic(servers, topic, { existing: true });
  await using results = await openResultTopics(context, database, topic);
  await using store = await openStore(context, storePatience);
  using _store = servers.watch('store', askStore(store, { listable: true }));
  await using buckets = await openBuckets(context, storePatience);
  await using opened = await openModels(context, { pool, store, patiently });
  models = opened.models;
  return await consume(
    {
      pool: database.pool,
      topic,
      store,
      buckets,
      models,
      ...(results !== null && { results }),
      load,
      report,
    },
    {
      pipeline: config.pipeline,
      owner,
      hostname: hostname(),
      maxImageBytes: config.limits.maxBytes,
      messages: config.messages,
      imageMemoryBytes: config.imageMemoryBytes,
      ...(config.deadlineMs !== undefined && { deadlineMs: config.deadlineMs }),
      ...config.endurance,
      untilDrained,
      skipExpired: options.skipExpired === true,
      ...(replayFrom !== undefined && { replay: { from: replayFrom, begun: new Set<number>() } }),
      signal: context.signal,
    },
    share,
  );
}

/** A fault is known, and shown, at the first failure: the consumer itself tries again. */
const storePatience = { requestTimeoutMs: 10_000, attempts: 1 };
/** Longest that the end of a stalled one may take. */
const stuckMs = 5000;
/** A connection that has gone silent is given up after this, in milliseconds; the kernel would wait for hours. */
const queryTimeoutMs = 15_000;

function shareOf(options: ConsumeFlags, configured: number | undefined): Share {
  if (options.group) return { kind: 'group' };
  const partition = options.partition ?? configured;
  return partition === undefined ? { kind: 'any' } : { kind: 'partition', partition };
}

function toAll<T>(...listeners: ((event: T) => void)[]): (event: T) => void {
  return (event) => listeners.forEach((hear) => hear(event));
}

const nobody = { hear: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };

/** `group`: a member of a group is ready also when it is given nothing. */
async function showConsumer(
  context: Context,
  { group, ...sources }: ConsumerSources & { group: boolean },
): Promise<Shown<ConsumeEvent>> {
  if (context.config.metrics.port === undefined) return nobody;
  const { consumerMetrics } = await import('../../lib/observe/metrics/consumer.ts');
  const { consumerHealth } = await import('../../lib/observe/metrics/server.ts');
  const { see, health } = consumerHealth(context.signal, group, sources.servers);
  return showMetrics(context, 'consume', health, ({ registry }) => {
    const count = consumerMetrics(registry, sources);
    return Promise.resolve((event) => {
      see(event);
      count(event);
    });
  });
}

/** Where OpenTelemetry's environment asks for traces. */
async function traced({ config, onNotice }: Context): Promise<Tracing> {
  if (config.tracing === null) return nobody;
  const { openTracing } = await import('../../lib/observe/tracing.ts');
  return openTracing({ service: config.tracing.service ?? 'visionscale-consume', onNotice });
}
