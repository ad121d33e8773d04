/** Reads a small JSON body. */
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Problem } from '../problem.ts';
import { invite } from './receive.ts';

/** A thousand ids are a tenth of it. */
const mostBytes = 128 * 1024;

/** Throws a Problem (400, 413, 415). */
export async function jsonBody<T extends z.ZodType>(request: FastifyRequest, schema: T): Promise<z.infer<T>> {
  // Pages of other origins cannot send this type without asking first.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw new Problem(415, 'invalid_request', 'the body must be JSON', {
      hint: 'Send content-type: application/json.',
    });
  invite(request.raw);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Problem(413, 'too_large', `the body is larger than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(json(Buffer.concat(chunks).toString('utf8')));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new Problem(400, 'invalid_request', faults.join('; ').slice(0, 1000));
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 'invalid_request', 'the body is not JSON');
  }
}
