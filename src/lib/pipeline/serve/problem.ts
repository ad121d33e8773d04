/** What an HTTP request is refused with: a status, and a body after RFC 9457 that says what is wrong and what to do. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { DatabaseError, ImageError, ObjectError, TopicError, VisionscaleError } from '../../base/errors.ts';
import type { App, ServeDeps } from './context.ts';

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  hint?: string;
  /** The image that is meant, where it has an id. */
  id?: string;
}

interface ProblemDetails {
  hint?: string | undefined;
  cause?: unknown;
  /** When to come again, in seconds. */
  retryAfter?: number;
  id?: string;
  /** Members of the body beside those of every problem. */
  more?: Record<string, unknown>;
}

const problemType = 'application/problem+json';

/** Of every answer: nothing is guessed from its content, and nothing of it is kept on the way. */
export const safeHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' } as const;

export class Problem extends VisionscaleError {
  override readonly name = 'Problem';
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly id: string | undefined;
  readonly more: Record<string, unknown>;

  constructor(status: number, code: string, detail: string, details: ProblemDetails = {}) {
    const { hint, cause, retryAfter, id, more = {} } = details;
    super(detail, { code, ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }) });
    this.status = status;
    this.retryAfter = retryAfter;
    this.id = id;
    this.more = more;
  }

  body(): ProblemBody {
    return {
      type: 'about:blank',
      title: STATUS_CODES[this.status] ?? 'Error',
      status: this.status,
      code: this.code,
      detail: this.message,
      ...(this.hint !== undefined && { hint: this.hint }),
      ...(this.id !== undefined && { id: this.id }),
      ...this.more,
    };
  }

  headers(): Record<string, string> {
    return {
      'content-type': problemType,
      ...safeHeaders,
      ...(this.retryAfter !== undefined && { 'retry-after': String(this.retryAfter) }),
      ...(this.status === 401 && { 'www-authenticate': 'Bearer' }),
    };
  }
}

/** Errors with these codes become refusals with these statuses: to be given to `catch`. All others stay what they are. */
export function refusedAs(statuses: Readonly<Record<string, number>>): (error: unknown) => never {
  return (error) => {
    const status = error instanceof VisionscaleError ? statuses[error.code] : undefined;
    if (status === undefined) throw error;
    const { code, message, hint } = error as VisionscaleError;
    throw new Problem(status, code, message, { hint, cause: error });
  };
}

/** How an image that cannot be taken is answered: too large, of a type that is not taken, or broken. */
const imageStatus: Record<string, number> = {
  too_large: 413,
  empty: 400,
  not_an_image: 415,
  unsupported_format: 415,
};

/** Any error as a Problem. Of faults that are not the sender's, no more than their code goes out. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ImageError) {
    return new Problem(imageStatus[error.code] ?? 422, error.code, error.message, {
      hint: error.hint,
      cause: error,
    });
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const faults = error.validation.map(
      ({ instancePath, message }) => `${instancePath.slice(1) || error.validationContext}: ${message}`,
    );
    return new Problem(400, 'invalid_request', faults.join('; ').slice(0, 1000));
  }
  const part = awayPart(error);
  if (part !== undefined) {
    return new Problem(503, (error as VisionscaleError).code, `the ${part} is not available at the moment`, {
      cause: error,
      retryAfter: 2,
    });
  }
  // The framework's own, whose codes are not ours: a broken URL, an id that is too long.
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new Problem(statusCode, 'bad_request', String(message), { cause: error });
  }
  return new Problem(500, 'internal', 'internal error; the server’s log has details', {
    cause: error,
  });
}

function awayPart(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return 'database';
  if (error instanceof TopicError) return 'topic';
  if (error instanceof ObjectError) return 'object store';
  return undefined;
}

// Every fault becomes a Problem on its way out, and a sender whose body was not wanted is not read to its end.

/** What is read and thrown away so that the sender gets to see the answer: bytes, and milliseconds. */
const lingerBytes = 1024 * 1024;
const lingerMs = 2000;

export function answerErrors(app: App, report: ServeDeps['report']): void {
  app.setErrorHandler((error, _request, reply) => {
    const problem = toProblem(error);
    const { status, code } = problem;
    if (status >= 500) report({ kind: 'failed', status, code, error: problem.cause ?? problem });
    else report({ kind: 'refused', status, code });
    return sendProblem(problem, reply);
  });
  app.addHook('onSend', (request, _reply, _payload, done) => {
    if (!request.raw.complete) linger(request.raw);
    done();
  });
  app.setNotFoundHandler(() => {
    throw new Problem(404, 'not_found', 'there is nothing at this address');
  });
}

/** What cannot even be routed: a broken URL. */
export function answerFrameworkError(error: unknown, _request: unknown, reply: unknown): void {
  void sendProblem(toProblem(error), reply as FastifyReply);
}

function sendProblem(problem: Problem, reply: FastifyReply): FastifyReply {
  return reply.code(problem.status).headers(problem.headers()).send(JSON.stringify(problem.body()));
}

/** Closing at once would reset the connection, and the sender, still sending, might never read why. */
function linger(raw: IncomingMessage): void {
  let bytes = 0;
  const cut = () => raw.socket.destroy();
  const timer = setTimeout(cut, lingerMs);
  raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > lingerBytes) cut();
  });
  raw.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  raw.on('error', () => undefined);
  raw.unpipe();
  raw.resume();
}

/** What is not even HTTP, or comes too slowly. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new Problem(408, 'too_slow', 'the request took too long to arrive')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new Problem(431, 'headers_too_large', 'the headers are too large')
        : new Problem(400, 'bad_request', 'this is not a valid HTTP request');
  const { title, status } = problem.body();
  const body = JSON.stringify(problem.body());
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${problemType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${Object.entries(safeHeaders)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}connection: close\r\n\r\n${body}`,
  );
}
