/** One image from a request to its acknowledgement, whichever route it came by. */
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { beltOf, timeOf, traceparentOf } from '../../../systems/message/fields.ts';
import { invite } from '../admission/expect-continue.ts';
import { receiveImage, tooLarge } from '../admission/receive.ts';
import { senderOf } from '../admission/sender.ts';
import type { Shared } from '../context.ts';
import { headerText } from '../image-name.ts';
import { ingest, type Ingested } from '../ingest.ts';
import { Problem } from '../problem.ts';

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
    throw new Problem(415, 'unsupported_encoding', 'a body with a Content-Encoding is not read', {
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

export interface Source {
  stream: Readable;
  /** In bytes, as far as the sender says. */
  declaredBytes?: number | undefined;
  /** Which image of the request. */
  index: number;
}

/** Holds the memory of the image until it is in the topic. */
export async function takeImage(
  { deps, options, admission }: Shared,
  request: FastifyRequest,
  said: Said,
  { stream, declaredBytes, index }: Source,
): Promise<Ingested> {
  const { http, limits, pipeline } = options;
  if (declaredBytes !== undefined && declaredBytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
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
