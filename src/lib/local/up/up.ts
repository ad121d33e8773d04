/** The verb `up`: a consumer for each partition, and `serve`, as processes that are kept running until told to stop. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { VisionscaleError } from '../../base/errors.ts';
import { pause } from '../../base/flow/waiting.ts';
import type { Environment } from '../../config/given.ts';
import type { Database } from '../../systems/database/open.ts';
import { readConsumers, rewriteSilent } from '../../systems/database/tables/consumers.ts';
import { readOwners } from '../../systems/database/tables/owners.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { Child } from '../demo/child.ts';
import { endSilent } from './silence.ts';

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

  const children = new Map<string, Child>();
  const keep = (name: string, args: string[], env: Environment, stop: AbortController) => {
    const running = keepRunning({
      name,
      start() {
        const child = new Child(name, args, env, (line) => report({ kind: 'said', name, line }));
        children.set(name, child);
        return child;
      },
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
      const { pool } = deps.database;
      const { pipeline } = options;
      const heard = async () => {
        await rewriteSilent(pool, { pipeline, topic: topic.name, hostname: hostname() });
        return {
          consumers: await readConsumers(pool, pipeline, topic.name),
          server: server === null ? undefined : await answers(server, '/healthz'),
        };
      };
      await endSilent({ children: () => [...children.values()], heard, signal: over });
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
    if (server !== null && !ready) ready = await answers(server, '/readyz');
    if (owned && ready) return;
    await pause(pollMs, signal);
  }
}

/** Of our own process: it need not prove who it is, and its certificate may name this host otherwise. */
async function answers(server: string, path: '/readyz' | '/healthz'): Promise<boolean> {
  const url = new URL(path, server);
  const options = { agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(2000) } as const;
  const request = url.protocol === 'https:' ? https.get(url, options) : http.get(url, options);
  request.on('error', () => undefined);
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode === 200;
  } catch {
    return false;
  }
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

/** Runs a child for as long as it is wanted: one that ends is started again, later and later while it goes on ending. */
interface KeepRunningOptions {
  name: string;
  start: () => Child;
  /** Told to drain, and awaited, when this aborts. */
  signal: AbortSignal;
  /** False: how a child ended is thrown. */
  mayRestart: () => boolean;
  onEnded: (ended: Ended) => void;
}

export interface Ended {
  name: string;
  /** How, and what it said last. */
  reason: string;
  /** Until it is started again, in milliseconds. */
  againInMs: number;
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** What has run for so long is not ending again and again, in milliseconds. */
const longRunMs = 60_000;

export async function keepRunning(options: KeepRunningOptions): Promise<void> {
  const { name, start, signal, mayRestart, onEnded } = options;
  let ends = 0;
  while (!signal.aborted) {
    const began = performance.now();
    const child = start();
    const failure = await endOf(child, signal);
    if (signal.aborted) return;
    if (!mayRestart()) throw failure;
    ends = performance.now() - began > longRunMs ? 1 : ends + 1;
    const againInMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (ends - 1));
    const last = failure.hint?.split('\n').at(-1);
    onEnded({ name, reason: last ? `${failure.message}: ${last}` : failure.message, againInMs });
    await pause(againInMs, signal);
  }
}

async function endOf(child: Child, signal: AbortSignal): Promise<VisionscaleError> {
  const stop = () => void child.stop();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    await child.ended;
    return new VisionscaleError(`${child.name} ended`, { code: 'child_failed' });
  } catch (error) {
    return error as VisionscaleError;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
