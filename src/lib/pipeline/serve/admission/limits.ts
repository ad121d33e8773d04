/** What connections may cost: how long they may take to say something, how much, and how many there may be. */
import type { Server, ServerOptions } from 'node:http';
import type { FastifyServerOptions } from 'fastify';
import { maxRequestIdBytes } from '../../../systems/message/request.ts';
import { answerClientError, answerFrameworkError } from '../errors.ts';

/** From the connection to the end of a request's headers, in milliseconds. */
const headersTimeoutMs = 10_000;
/** To the end of its body: 64 MiB at half a megabyte a second. */
const requestTimeoutMs = 120_000;
/** A connection in which nothing moves either way. Above the heartbeat of streams and the longest wait. */
const silenceMs = 60_000;
const keepAliveMs = 10_000;
/** Above this, connections are closed as they come; the others go on. */
const mostConnections = 16_384;
/** Left for database, topic and store where the system allows fewer files than that. */
const spareFiles = 512;

export const serverLimits: FastifyServerOptions<Server> & { http: ServerOptions } = {
  // What is to be logged is told by events.
  logger: false,
  connectionTimeout: silenceMs,
  requestTimeout: requestTimeoutMs,
  keepAliveTimeout: keepAliveMs,
  // Ours is in the form of every other error.
  return503OnClosing: false,
  clientErrorHandler: answerClientError,
  frameworkErrors: answerFrameworkError,
  http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 2000 },
  // Percent-encoding makes three of one.
  routerOptions: { maxParamLength: 3 * maxRequestIdBytes },
};

export function limitConnections(server: Server): void {
  server.maxConnections = Math.max(64, Math.min(mostConnections, openFiles() - spareFiles));
}

/** How many files this process may have open. */
function openFiles(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}
