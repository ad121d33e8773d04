/** Every fault becomes a Problem on its way out, and a sender whose body was not wanted is not read to its end. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import type { App } from './context.ts';
import type { ServeDeps } from './options.ts';
import { Problem, problemType, safeHeaders, toProblem } from './problem.ts';

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
    throw new Problem(404, 'not_found', 'there is nothing under this address');
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
        : new Problem(400, 'bad_request', 'this is no valid HTTP request');
  const { title, status } = problem.body();
  const body = JSON.stringify(problem.body());
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${problemType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${Object.entries(safeHeaders)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}connection: close\r\n\r\n${body}`,
  );
}
