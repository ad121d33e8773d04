/** What became of an image that was posted, as an answer of HTTP. */
import type { FastifyReply } from 'fastify';
import type { Result } from '../../../systems/database/tables/results.ts';
import type { Shared } from '../context.ts';
import type { Ingested } from '../ingest.ts';
import { Problem, type ProblemBody, toProblem } from '../problem.ts';

/** What an image came to within the time that the sender wanted to wait. */
export interface Answer {
  status: number;
  body: Result | { id: string; status: 'pending'; imageKey: string } | ProblemBody;
  location: string | null;
}

/** The result where it comes in time. A dead letter is a 422: the image was taken, and cannot be classified. */
export async function answerOf(
  { waiters }: Shared,
  { id, imageKey, outcome: known }: Ingested,
  wait: number,
  reply: FastifyReply,
): Promise<Answer> {
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
  answer: Answer;
}

/** What one image of several came to; a fault of one is no fault of the others. */
export function refusedPart(error: unknown): Answer {
  const problem = toProblem(error);
  return { status: problem.status, body: problem.body(), location: null };
}

export function send(reply: FastifyReply, { status, body, location }: Answer): FastifyReply {
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
