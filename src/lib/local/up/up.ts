/** The verb `up`: a consumer for each partition, and `serve`, as processes that are kept running until told to stop. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../../base/flow/waiting.ts';
import type { Environment } from '../../config/given.ts';
import type { Database } from '../../systems/database/open.ts';
import { readOwners } from '../../systems/database/tables/overview.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { Child } from '../demo/child.ts';
import { type Ended, keepRunning } from './keep-running.ts';

export interface UpDeps {
  database: Database;
  topic: Topic;
  /** The settings in force, for the processes. */
  env: Environment;
  report: (event: UpEvent) => void;
  /** Called once, when everything is at work. */
  onUp: () => Promise<void>;
}

export interface UpOptions {
  pipeline: string;
  /** Address of `serve`, which is given its port by the settings; null: without it. */
  server: string | null;
  /** Port of the first consumer's metrics, the others' follow; 0: any free ones; undefined: none. */
  metricsPort: number | undefined;
  signal: AbortSignal;
}

export type UpEvent =
  | ({ kind: 'ended' } & Ended)
  /** What a process has written to its stderr. */
  | { kind: 'said'; name: string; line: string };

export interface UpResult {
  seconds: number;
  /** Processes that ended and were started again. */
  restarts: number;
}

const pollMs = 100;

/** Until the signal: then `serve` drains first and the consumers after it. Throws how a process ended before all were up. */
export async function up(deps: UpDeps, options: UpOptions): Promise<UpResult> {
  const { topic, report } = deps;
  const { server, signal } = options;
  const began = performance.now();
  const partitions = [...Array(await topic.partitions()).keys()];
  let isUp = false;
  let restarts = 0;
  const failed = new AbortController();
  const [serving, consuming] = [new AbortController(), new AbortController()];

  const keep = (name: string, args: string[], env: Environment, stop: AbortController) => {
    const running = keepRunning({
      name,
      start: () => new Child(name, args, env, (line) => report({ kind: 'said', name, line })),
      signal: stop.signal,
      mayRestart: () => isUp,
      onEnded(ended) {
        restarts++;
        report({ kind: 'ended', ...ended });
      },
    });
    running.catch((error: unknown) => failed.abort(error));
    return running;
  };

  const consumers = partitions.map((partition) =>
    keep(
      `consumer ${partition}`,
      ['consume', '--partition', `${partition}`, '--while-stdin', '--json'],
      consumerEnv(deps.env, options.metricsPort, partition),
      consuming,
    ),
  );
  const servers =
    server === null ? [] : [keep('serve', ['serve', '--while-stdin'], serveEnv(deps.env, server), serving)];
  const over = AbortSignal.any([signal, failed.signal]);
  try {
    await atWork(deps, options, partitions, over);
    if (!over.aborted) {
      isUp = true;
      await deps.onUp();
      await aborted(over);
    }
  } finally {
    serving.abort();
    await Promise.allSettled(servers);
    consuming.abort();
    await Promise.allSettled(consumers);
  }
  if (failed.signal.aborted) throw failed.signal.reason;
  return { seconds: (performance.now() - began) / 1000, restarts };
}

/** Resolves when every partition has an owner and `serve` says that it is ready, or at the signal. */
async function atWork(
  { database, topic }: UpDeps,
  { pipeline, server }: UpOptions,
  partitions: number[],
  signal: AbortSignal,
): Promise<void> {
  let ready = server === null;
  while (!signal.aborted) {
    const owners = await readOwners(database.pool, pipeline, topic.name);
    const owned = partitions.every((p) =>
      owners.some(({ partition, live, owner }) => partition === p && live && owner),
    );
    if (server !== null && !ready) ready = await answers(server);
    if (owned && ready) return;
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

async function answers(server: string): Promise<boolean> {
  return fetch(new URL('/readyz', server), { signal: AbortSignal.timeout(2000) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.ok;
    },
    () => false,
  );
}

/** A thread for each of several consumers, and only what a person should read, unless the settings say otherwise. */
function consumerEnv(env: Environment, metricsPort: number | undefined, partition: number): Environment {
  const port = metricsPort === undefined ? '' : metricsPort === 0 ? '0' : `${metricsPort + partition}`;
  return {
    ...env,
    VISIONSCALE_LOG_LEVEL: env['VISIONSCALE_LOG_LEVEL'] || 'warn',
    VISIONSCALE_WORKERS: env['VISIONSCALE_WORKERS'] || '1',
    VISIONSCALE_METRICS_PORT: port,
  };
}

/** It shows its metrics itself, and no load balancer has to notice that it goes. */
function serveEnv(env: Environment, server: string): Environment {
  return {
    ...env,
    VISIONSCALE_LOG_LEVEL: env['VISIONSCALE_LOG_LEVEL'] || 'warn',
    VISIONSCALE_HTTP_PORT: new URL(server).port,
    VISIONSCALE_DRAIN_DELAY: '',
    VISIONSCALE_METRICS_PORT: '',
  };
}

/** The wanted port where it is free, or asked for by name; else any free one. 0 wants any. */
export async function choosePort(host: string, wanted: number, isAskedFor: boolean): Promise<number> {
  if (isAskedFor && wanted !== 0) return wanted;
  return (await freePort(host, wanted)) ?? (await freePort(host, 0)) ?? wanted;
}

/** Null where it cannot be listened on. */
async function freePort(host: string, port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch {
    return null;
  } finally {
    server.close();
  }
}
