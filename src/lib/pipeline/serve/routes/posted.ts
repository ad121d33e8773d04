/** One image from a request to its acknowledgement, whichever route it came by, and what became of it as an answer of HTTP. */
import type { Readable } from 'node:stream';
import type { FastifyRequest, FastifyReply } from 'fastify';
import type { Result } from '../../../systems/database/tables/results.ts';
import { beltOf, timeOf, traceparentOf } from '../../../systems/message/values.ts';
import { invite, receiveImage, bodyTooLarge } from '../admission/receive.ts';
import { senderOf } from '../admission/senders.ts';
import type { SharedByRoutes } from '../context.ts';
import { headerText, ingest, type Ingested } from '../ingest.ts';
import { Problem, type ProblemBody, toProblem } from '../problem.ts';

/** What the headers of a request say about its images. */
export interface Said {
  name: string | undefined;
  belt: string | null;
  capturedAt: number;
  traceparent: string | null;
  idempotencyKey: string | null;
}

/** Throws a 400 for what cannot be meant, a 415 for a body that is compressed. */
export function saidBy({ headers, arrived }: FastifyRequest): Said {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw new Problem(415, 'unsupported_encoding', 'a body with a Content-Encoding is not supported', {
      hint: 'Send the image as it is: images are compressed already.',
    });
  }
  const belt = textOf(headers['visionscale-belt']);
  const captured = textOf(headers['visionscale-captured-at']);
  const said = {
    name: textOf(headers['visionscale-image-name']),
    belt: belt === undefined ? null : beltOf(belt),
    capturedAt: captured === undefined ? arrived.at : timeOf(captured),
    traceparent: traceparentOf(headers['traceparent']),
    idempotencyKey: textOf(headers['idempotency-key']) ?? null,
  };
  if (belt !== undefined && said.belt === null)
    throw invalid('visionscale-belt', 'a name of up to 256 bytes');
  if (said.capturedAt === null)
    throw invalid('visionscale-captured-at', 'ISO 8601 or milliseconds since 1970');
  return { ...said, capturedAt: said.capturedAt };
}

export interface ImageSource {
  stream: Readable;
  /** In bytes, as far as the sender says. */
  declaredBytes?: number | undefined;
  /** Which image of the request. */
  index: number;
}

/** Holds the memory of the image until it is in the topic. */
export async function takeImage(
  { deps, options, admission }: SharedByRoutes,
  request: FastifyRequest,
  said: Said,
  { stream, declaredBytes, index }: ImageSource,
): Promise<Ingested> {
  const { http, limits, pipeline } = options;
  if (declaredBytes !== undefined && declaredBytes > limits.maxBytes) throw bodyTooLarge(limits.maxBytes);
  const sender = senderOf(request.token, request.ip);
  admission.check(sender);
  using memory = admission.memory(sender);
  invite(request.raw);
  const bytes = await receiveImage(stream, { maxBytes: limits.maxBytes, memory, declaredBytes });
  using _place = admission.enter(sender);
  const ingested = await ingest(
    deps,
    { pipeline, mode: http.ingest, maxInlineBytes: http.maxInlineBytes },
    { ...said, bytes, index, token: request.token },
  );
  const { id, way } = ingested;
  const ms = performance.now() - request.arrived.tick;
  deps.report({ kind: 'accepted', id, way, bytes: bytes.length, ms });
  return ingested;
}

/** Undefined where the body is sent in chunks. */
export function declaredLength({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

function textOf(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined || text === '' ? undefined : headerText(text);
}

function invalid(name: string, meant: string): Problem {
  return new Problem(400, 'invalid_request', `${name}: must be ${meant}`);
}

// What became of an image that was posted, as an answer of HTTP.

/** What an image came to within the time that the sender wanted to wait. */
export interface PostAnswer {
  status: number;
  body: Result | { id: string; status: 'pending'; imageKey: string } | ProblemBody;
  location: string | null;
}

/** The result where it comes in time. A dead letter is a 422: the image was taken, and cannot be classified. */
export async function answerOf(
  { waiters }: SharedByRoutes,
  { id, imageKey, outcome: known }: Ingested,
  wait: number,
  reply: FastifyReply,
): Promise<PostAnswer> {
  const location = locationOf(id);
  const outcome = known ?? (await waiters.wait(id, wait, goneWith(reply)));
  if (outcome === null) return { status: 202, body: { id, status: 'pending', imageKey }, location };
  if (outcome.kind === 'result') return { status: 200, body: outcome.result, location };
  const { code, message } = outcome.failure;
  return { status: 422, body: new Problem(422, code, message, { id }).body(), location };
}

export function locationOf(id: string): string {
  return `/v1/images/${encodeURIComponent(id).replaceAll('%3A', ':')}`;
}

export interface PartAnswer {
  name: string | null;
  answer: PostAnswer;
}

/** What one image of several came to; a fault of one is no fault of the others. */
export function refusedPart(error: unknown): PostAnswer {
  const problem = toProblem(error);
  return { status: problem.status, body: problem.body(), location: null };
}

export function send(reply: FastifyReply, { status, body, location }: PostAnswer): FastifyReply {
  if (location !== null) void reply.header('location', location);
  if (status >= 400) void reply.header('content-type', 'application/problem+json');
  return reply.code(status).send(status >= 400 ? JSON.stringify(body) : body);
}

export function sendSeveral(reply: FastifyReply, answers: readonly PartAnswer[]): FastifyReply {
  const images = answers.map(({ name, answer: { status, body, location } }) => {
    const kind = status === 200 ? 'result' : status === 202 ? 'accepted' : 'problem';
    return { name, status, location, [kind]: body };
  });
  return reply.code(207).send({ images });
}

/** Aborts when the sender has gone, or was answered. */
export function goneWith(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
