/** The HTTP server: its parts put together. */
import type { Server, ServerOptions } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import cors from '@fastify/cors';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import Fastify from 'fastify';
import type { FastifyServerOptions, FastifyRequest } from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { findOutcomes, resultsAfter } from '../../systems/database/tables/results.ts';
import { streamEnd } from '../../systems/database/tables/stream.ts';
import { maxRequestIdBytes } from '../../systems/message/request.ts';
import { accessPolicy, type Right, Failures } from './admission/access.ts';
import { Admission } from './admission/admission.ts';
import { holdContinue } from './admission/receive.ts';
import { proxyHeader, senderOf } from './admission/senders.ts';
import { readCertificate, renewCertificate, secureContext, type ServerCertificate } from './certificate.ts';
import type { App, ServeDeps, ServeOptions, SharedByRoutes } from './context.ts';
import { Feed, Waiters } from './listeners.ts';
import { answerClientError, answerErrors, answerFrameworkError, Problem, safeHeaders } from './problem.ts';
import { binRoutes } from './routes/bins.ts';
import { comparisonRoutes } from './routes/comparisons.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { imageRoutes, originalRoute } from './routes/images.ts';
import { labellingRoutes } from './routes/labelling.ts';
import { modelRoutes } from './routes/models.ts';
import { overviewRoutes } from './routes/overview.ts';
import { pageRoutes } from './routes/page.ts';
import { pictureRoutes } from './routes/pictures.ts';
import { resultRoutes } from './routes/results.ts';
import { describeApi, systemRoutes } from './routes/system.ts';

export interface OpenApp {
  app: App;
  /** Says so in /readyz; everything else goes on. */
  drain(): void;
  /** Ends streams and waits, finishes what is in flight, takes nothing new. */
  close(): Promise<void>;
}

export async function openApp(deps: ServeDeps, options: ServeOptions): Promise<OpenApp> {
  const { pool, report } = deps;
  const { http, pipeline } = options;
  const certificate = http.tls && readCertificate(http.tls);
  const closing = new AbortController();
  let draining = false;
  const shared: SharedByRoutes = {
    deps,
    options,
    admission: new Admission(admissionBounds(options), deps.load),
    waiters: new Waiters({ find: (ids) => findOutcomes(pool, pipeline, ids) }),
    feed: new Feed({
      end: () => streamEnd(pool),
      after: (place, limit) => resultsAfter(pool, pipeline, place, limit),
    }),
    closing: closing.signal,
    isDraining: () => draining,
  };
  const app: App = newServer(certificate).withTypeProvider<ZodTypeProvider>();
  limitConnections(app.server);
  holdContinue(app.server);
  app.setValidatorCompiler(validatorCompiler);
  // The shapes are those of the OpenAPI document; tests hold the answers to them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  // A body is read by the route that wants it, after everything that may refuse it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  answerErrors(app, report);
  tellAnswers(app, report);
  keepPlain(app);
  forgetNonsense(app);
  if (http.corsOrigins.length > 0) await allowOrigins(app, http.corsOrigins);
  guard(app, shared);
  if (http.rateLimit > 0) await limitRates(app, http.rateLimit);
  await app.register(multipart, {
    throwFileSizeLimit: false,
    // A name of a file is optional: a part that says it is an image is one.
    isPartAFile: (_field, type, file) => file !== undefined || isImageType(type),
    limits: { fileSize: Infinity, files: 100, fields: 200, fieldSize: 4096, headerPairs: 50 },
  });
  await describeApi(app, options.version);
  imageRoutes(app, shared);
  originalRoute(app, shared, pageRoutes(app));
  resultRoutes(app, shared);
  overviewRoutes(app, shared);
  pictureRoutes(app, shared);
  deadLetterRoutes(app, shared);
  modelRoutes(app, shared);
  comparisonRoutes(app, shared);
  binRoutes(app, shared);
  labellingRoutes(app, shared);
  systemRoutes(app, shared);
  await app.ready();
  const renewing =
    certificate && renewCertificate(app.server as unknown as TlsServer, http.tls!, certificate, report);
  return {
    app,
    drain: () => (draining = true),
    async close() {
      closing.abort();
      renewing?.[Symbol.dispose]();
      shared.waiters.close();
      // Those that fall idle only now would be waited for.
      const idle = setInterval(() => app.server.closeIdleConnections(), 50);
      await app.close();
      clearInterval(idle);
    },
  };
}

/** What nginx, and others after it, note for a sender that went away. */
const wentAway = 499;

function tellAnswers(app: App, report: ServeDeps['report']): void {
  app.decorateRequest('arrived');
  app.addHook('onRequest', (request, reply, done) => {
    const arrived = { at: Date.now(), tick: performance.now() };
    request.arrived = arrived;
    reply.raw.once('close', () => {
      if (String(reply.getHeader('content-type')).startsWith('text/event-stream')) return;
      report({
        kind: 'answered',
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.raw.writableFinished ? reply.raw.statusCode : wentAway,
        ms: performance.now() - arrived.tick,
      });
    });
    done();
  });
}

/** Half of the places and of the memory for one sender, and never less than one for a largest image. */
function admissionBounds({ http: { maxInFlight: images }, imageMemoryBytes: bytes, limits }: ServeOptions) {
  const bytesEach = Math.max(Math.floor(bytes / 2), limits.maxBytes);
  return { images, imagesEach: Math.ceil(images / 2), bytes, bytesEach };
}

function isImageType(type: string | undefined): boolean {
  return type !== undefined && /^(image\/.+|application\/octet-stream)$/i.test(type);
}

/** Nothing that two readers could read differently, neither of requests nor of answers. */
function keepPlain(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(safeHeaders);
    const hosts = request.raw.rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === 'host');
    done(
      hosts.length > 1 ? new Problem(400, 'bad_request', 'the request has more than one Host') : undefined,
    );
  });
}

/** A Content-Type that is empty or none says nothing, so it counts as absent, as in messages: an image's bytes tell what it is. */
function forgetNonsense(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.mediaType === undefined) delete request.headers['content-type'];
    done();
  });
}

/** Before anything of a body is read. */
function guard(app: App, { options, closing }: SharedByRoutes): void {
  const access = accessPolicy(options.http);
  const failures = new Failures();
  app.decorateRequest('token', null);
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing.aborted) void reply.header('connection', 'close');
    done();
  });
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is the answer
  app.addHook('onRequest', async (request) => {
    if (closing.aborted) {
      throw new Problem(503, 'stopping', 'the server is stopping', { retryAfter: 1 });
    }
    try {
      request.token = access(rightOf(request), {
        method: request.method,
        authorization: request.headers.authorization,
        host: request.headers.host,
        origin: request.headers.origin,
        proxy: proxyHeader(request.headers),
      });
    } catch (error) {
      const isFailure = error instanceof Problem && error.status === 401;
      throw (isFailure ? failures.note(request.ip) : undefined) ?? error;
    }
  });
}

/** What nothing is known of needs the right to look, so that a stranger learns nothing by asking. */
function rightOf(request: FastifyRequest): Right {
  return request.routeOptions.config?.right ?? 'read';
}

async function allowOrigins(app: App, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: ['location', 'retry-after'],
    maxAge: 600,
  });
}

async function limitRates(app: App, aSecond: number): Promise<void> {
  await app.register(rateLimit, {
    max: aSecond,
    timeWindow: 1000,
    allowList: (request) => rightOf(request) === 'none',
    keyGenerator: (request) => senderOf(request.token, request.ip),
    errorResponseBuilder: () =>
      new Problem(429, 'rate_limited', `more than ${aSecond} requests a second`, { retryAfter: 1 }),
  });
}

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

/** What connections may cost: how long they may take to say something, how much, and how many there may be. */
const serverLimits: FastifyServerOptions<Server> & { http: ServerOptions } = {
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

/** With a certificate it speaks HTTPS only. In everything that is asked of it Node's HTTPS server is its HTTP server. */
function newServer(certificate: ServerCertificate | null) {
  if (certificate === null) return Fastify(serverLimits);
  const { http, ...limits } = serverLimits;
  const https = { ...http, ...secureContext(certificate), handshakeTimeout: headersTimeoutMs };
  return Fastify({ ...limits, https } as FastifyServerOptions<Server>);
}

function limitConnections(server: Server): void {
  server.maxConnections = Math.max(64, Math.min(mostConnections, openFiles() - spareFiles));
}

/** How many files this process may have open. */
function openFiles(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}
