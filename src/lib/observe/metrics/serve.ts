/** The metrics of the HTTP server, fed by what it reports. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Load } from '../../base/flow/load.ts';
import type { ServeEvent } from '../../pipeline/serve/context.ts';
import type { Servers } from '../../pipeline/server-watch.ts';
import { crashesCounter, httpBuckets, inFlightGauges, waitingGauge } from './meters.ts';

/** Only methods that are well known are told apart: a sender may invent them. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

/** `load` is read when the metrics are. */
export function serveMetrics(
  registry: Registry,
  load: Readonly<Load>,
  servers: Servers,
): (event: ServeEvent) => void {
  const registers = [registry];
  inFlightGauges(registry, load);
  waitingGauge(registry, servers);
  crashesCounter(registry);
  const durations = new Histogram({
    name: 'visionscale_http_request_seconds',
    help: 'From the request to its answer, except streams, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: httpBuckets,
    registers,
  });
  const accepted = new Histogram({
    name: 'visionscale_accept_seconds',
    help: "From the first byte of an image's request to the topic's acknowledgement, by the way it was sent; known: it was already there.",
    labelNames: ['way'],
    buckets: httpBuckets,
    registers,
  });
  const bytes = new Histogram({
    name: 'visionscale_accepted_bytes',
    help: 'Sizes of accepted images.',
    buckets: [1e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8],
    registers,
  });
  const refused = new Counter({
    name: 'visionscale_refused_total',
    help: 'Images that were refused, by status and code of the answer.',
    labelNames: ['status', 'code'],
    registers,
  });
  const faults = new Counter({
    name: 'visionscale_faults_total',
    help: 'Requests that failed because of visionscale or the servers behind it, by code.',
    labelNames: ['code'],
    registers,
  });
  return (event) => {
    switch (event.kind) {
      case 'answered': {
        const { method, route, status, ms } = event;
        durations.observe({ method: methods.has(method) ? method : 'other', route, status }, ms / 1000);
        break;
      }
      case 'accepted':
        accepted.observe({ way: event.way }, event.ms / 1000);
        bytes.observe(event.bytes);
        break;
      case 'refused':
        refused.inc({ status: event.status, code: event.code });
        break;
      case 'failed':
        faults.inc({ code: event.code });
        break;
      case 'listening':
      case 'draining':
      case 'cut off':
      case 'certificate':
      case 'certificate failed':
      case 'comparing':
        break;
    }
  };
}
