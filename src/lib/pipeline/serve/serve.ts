/** The verb `serve`: images in by HTTP, results out, until it is told to stop. */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { aborted } from '../../base/flow/waiting.ts';
import type { HttpSettings } from '../../config/http.ts';
import { forgetIngested } from '../../systems/database/tables/ingested.ts';
import { isLoopback } from './admission/access.ts';
import { openApp } from './app.ts';
import type { App, ServeDeps, ServeOptions } from './context.ts';

export interface ServeResult {
  /** Images that were acknowledged. */
  accepted: number;
  /** Requests that were answered with a 4xx. */
  refused: number;
  seconds: number;
}

/** What is in flight when it is told to stop has so long to end, in milliseconds. */
export const finishMs = 30_000;
/** Connections that may wait to be accepted, where the system allows as many: storms are shorter than that. */
const backlog = 4096;
/** How long idempotency keys hold, in days, and how often what is older is deleted, in milliseconds. */
const keptDays = 7;
const forgetEveryMs = 3_600_000;

/** Throws `cannot_listen`. */
export async function serve(deps: ServeDeps, options: ServeOptions): Promise<ServeResult> {
  const { http, signal, pipeline } = options;
  const began = performance.now();
  const result: ServeResult = { accepted: 0, refused: 0, seconds: 0 };
  const report: ServeDeps['report'] = (event) => {
    if (event.kind === 'accepted') result.accepted++;
    if (event.kind === 'refused') result.refused++;
    deps.report(event);
  };
  const server = await openApp({ ...deps, report }, options);
  await listen(server.app, http.host, http.port);
  const forgetting = setInterval(
    () => void forgetIngested(deps.pool, pipeline, keptDays, 10_000).catch(() => undefined),
    forgetEveryMs,
  );
  const access = http.tokens.length > 0 ? 'tokens' : isLoopback(http.host) ? 'local' : 'read-only';
  report({ kind: 'listening', url: urlOf(http, server.app), access });
  await aborted(signal);
  clearInterval(forgetting);
  server.drain();
  report({ kind: 'draining' });
  await sleep(http.drainDelayMs);
  await finish(server.app, server.close(), report);
  result.seconds = (performance.now() - began) / 1000;
  return result;
}

async function listen(app: App, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port, backlog });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    throw new VisionscaleError(`cannot listen on ${host}:${port}: ${errorMessage(error)}`, {
      code: 'cannot_listen',
      hint:
        code === 'EADDRINUSE'
          ? 'Another program has this port: choose one with --port (0: any free one).'
          : 'Choose an address of this machine with --host and a port with --port.',
      cause: error,
    });
  }
}

/** Those who do not come to an end are cut off. */
async function finish(app: App, closing: Promise<void>, report: ServeDeps['report']): Promise<void> {
  const cut = setTimeout(() => {
    app.server.getConnections((_error, connections) => report({ kind: 'cut off', connections }));
    app.server.closeAllConnections();
  }, finishMs);
  await closing;
  clearTimeout(cut);
}

function urlOf({ host, tls }: HttpSettings, app: App): string {
  const { port } = app.server.address() as AddressInfo;
  return `${tls ? 'https' : 'http'}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}
