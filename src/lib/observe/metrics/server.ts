/** A small HTTP server that shows metrics and health; the process it tells of goes on whatever becomes of it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import type { ConsumeEvent } from '../../pipeline/consume/options.ts';
import { awayLine, type Servers } from '../../pipeline/server-watch.ts';
import { ConsumerStatus } from '../service-manager/consumer-status.ts';
import type { Exposition } from './metrics.ts';

export interface MetricsServerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  render: () => Promise<Exposition>;
  health: () => Health;
}

export interface MetricsServer extends AsyncDisposable {
  /** Of the metrics. */
  readonly url: string;
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

/** Nobody needs longer to ask for a page, and no more than this come at once. */
const requestMs = 5000;
const mostConnections = 64;

/** Throws `metrics_unavailable` where it cannot listen there. */
export async function openMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port } = options;
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs },
    (request, response) => {
      answerTo(request, options).then(
        (answer) => send(response, answer),
        (error: unknown) => send(response, text(500, errorMessage(error))),
      );
    },
  );
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch((cause: unknown) => {
    throw new VisionscaleError(`metrics cannot be shown on ${host}:${port}: ${errorMessage(cause)}`, {
      code: 'metrics_unavailable',
      hint: 'Choose another --metrics-port (VISIONSCALE_METRICS_PORT), one for each process of a host; 0 picks any free one.',
      cause,
    });
  });
  // A client that breaks off is no fault of this process.
  server.on('error', () => undefined);
  const { address, port: bound, family } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/metrics`,
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function answerTo(
  { method, url }: IncomingMessage,
  { render, health }: MetricsServerOptions,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET');
  switch (pathOf(url)) {
    case '/metrics': {
      const { contentType, body } = await render();
      return { status: 200, type: contentType, body };
    }
    case '/healthz': {
      const { alive, detail } = health();
      return text(alive ? 200 : 503, detail);
    }
    case '/readyz': {
      const { ready, detail } = health();
      return text(ready ? 200 : 503, detail);
    }
    default:
      return text(404, 'try /metrics, /healthz or /readyz');
  }
}

function pathOf(url = ''): string {
  return url.split('?', 1)[0] ?? '';
}

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response
    .writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    })
    .end(body);
}

/** Whether a process lives and is ready for its work, as probes and load balancers ask for it. */
export interface Health {
  /** False: start it anew. */
  alive: boolean;
  /** False: it waits for something, or is about to stop. */
  ready: boolean;
  /** One line for people. */
  detail: string;
}

interface ConsumerHealth {
  see: (event: ConsumeEvent) => void;
  health: () => Health;
}

/** Of a role that is ready for as long as the servers answer that it needs, and is not told to stop. */
export function serversHealth(signal: AbortSignal, servers: Servers): () => Health {
  return () => {
    const away = awayLine(servers.away);
    return {
      alive: true,
      ready: away === null && !signal.aborted,
      detail: [...(signal.aborted ? ['stopping'] : []), away ?? 'at work'].join(': '),
    };
  };
}

/** `signal` tells the consumer to stop; `ready` is for the member of a group, which may be given nothing. */
export function consumerHealth(signal: AbortSignal, ready: boolean, servers: Servers): ConsumerHealth {
  const status = new ConsumerStatus(servers);
  let stalled = false;
  return {
    see(event) {
      status.see(event);
      if (event.kind === 'stalled') stalled = event.reason !== null;
    },
    health: () => ({
      alive: !stalled,
      ready: !signal.aborted && status.isReady(ready),
      detail: signal.aborted ? `stopping: ${status.line()}` : status.line(),
    }),
  };
}
