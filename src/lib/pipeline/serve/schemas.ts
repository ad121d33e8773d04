/** The shapes of requests and answers: checked on the way in, and what the OpenAPI document is made of. */
import { z } from 'zod';
import { durationMs } from '../../base/duration.ts';
import { maxRequestIdBytes } from '../../systems/message/request.ts';
import { parseSince } from '../../systems/message/values.ts';

/** Longest time that a request may be held for its result, in milliseconds. */
export const longestWaitMs = 30_000;

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // eslint-disable-next-line no-control-regex -- as JSON Schema knows it, without \p
    .regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters');

const wait = z
  .string()
  .max(20)
  .regex(/^\d+(\.\d+)?(ms|s)$|^0$/, 'must be a time such as 500ms or 5s')
  .transform((value) => Math.min(durationMs(value) ?? 0, longestWaitMs))
  .optional()
  .describe('How long to wait for the result: 500ms, 5s; at most 30s.');

const moment = z
  .string()
  .max(40)
  .transform((value, context) => {
    try {
      return parseSince(value);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a time ago (15m, 2h, 7d) or a date (ISO 8601)' });
      return z.NEVER;
    }
  });

export const imageParams = z.object({ id: text(maxRequestIdBytes).describe('The request id.') });

export const waitQuery = z.strictObject({ wait });

/** Loose: the other headers of HTTP stay. */
export const imageHeaders = z.looseObject({
  'visionscale-image-name': z.string().optional().describe('What the image is called, in UTF-8.'),
  'visionscale-belt': z.string().max(256).optional().describe('The belt: up to 256 bytes of text.'),
  'visionscale-captured-at': z
    .string()
    .max(40)
    .optional()
    .describe('When it was taken: ISO 8601, or milliseconds since 1970. Default: when the request arrived.'),
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without spaces')
    .optional()
    .describe('The same image sent again under the same key counts once; another image is refused.'),
  traceparent: z.string().optional().describe('W3C trace context; travels to the row.'),
});

export const originalHeaders = z.looseObject({
  img_name: z.string().min(1).describe('The name of the image, with the extension of an image format.'),
});

const filters = {
  category: text(1000).optional(),
  bin: text(1000).optional(),
  model: text(1000).optional().describe('The name of the model.'),
  belt: text(256).optional(),
  unknown: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('`true`: only objects unlike every class of the model; `false`: only others.'),
};

export const resultsQuery = z.strictObject({
  ...filters,
  since: moment.optional().describe('Processed then or later: 15m, 2h, 7d ago, or ISO 8601.'),
  until: moment.optional().describe('Processed before then.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: text(100).optional().describe('`next` of the previous page.'),
});

export const streamQuery = z.strictObject({
  ...filters,
  after: text(40)
    .optional()
    .describe('The id of the last event, for clients that cannot send Last-Event-ID.'),
});

const score = z.object({ category: z.string(), confidence: z.number() });
const nullableText = z.string().nullable();

export const result = z
  .object({
    id: z.string().describe('The request id.'),
    imageKey: z.string(),
    category: z.string(),
    confidence: z.number().describe('In percent, 0 to 100.'),
    top: z.array(score).describe('The best five.'),
    novelty: z
      .number()
      .nullable()
      .describe('How unlike every class; 1 or more: unknown. Null where the model does not tell.'),
    bin: nullableText.describe('Where the sorter should put it; null if the pipeline has no bins.'),
    binReason: nullableText,
    binVersion: z.number().int().nullable(),
    model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    latencyMs: z.number().nullable().describe('From capture to the row.'),
    capturedAt: nullableText,
    processedAt: z.string(),
    belt: nullableText,
    hostname: z.string(),
    pipeline: z.string(),
    traceparent: nullableText,
  })
  .meta({ id: 'Result' });

export const accepted = z
  .object({ id: z.string(), status: z.literal('pending'), imageKey: z.string() })
  .meta({ id: 'Accepted' });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string().describe('Stable, for programs.'),
    detail: z.string(),
    hint: z.string().optional(),
    id: z.string().optional().describe('The image concerned, if it has an id.'),
  })
  .meta({ id: 'Problem' });

/** One image of several: what it would have been answered alone. */
const part = z.object({
  name: z.string().nullable(),
  status: z.number().int(),
  location: z.string().nullable(),
  accepted: accepted.optional(),
  result: result.optional(),
  problem: problem.optional(),
});

export const several = z.object({ images: z.array(part) }).meta({ id: 'Several' });

export const image = z
  .object({
    id: z.string(),
    status: z.enum(['pending', 'done', 'failed']),
    imageKey: nullableText,
    result: result.nullable(),
    failure: z
      .object({ code: z.string(), message: z.string(), stage: z.string(), at: z.string() })
      .nullable()
      .describe('Why it can never be classified: its dead letter.'),
  })
  .meta({ id: 'Image' });

export const resultPage = z
  .object({
    results: z.array(result),
    next: nullableText.describe('The cursor of the next page; null at the end.'),
  })
  .meta({ id: 'ResultPage' });

export const bins = z
  .object({
    version: z.number().int().nullable().describe('Null if the pipeline has no bins.'),
    source: nullableText,
    digest: nullableText,
    createdAt: nullableText,
    rules: z.unknown(),
  })
  .meta({ id: 'Bins' });

export const health = z.object({ status: z.literal('ok') });

export const ready = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  checks: z.object({ database: z.string(), topic: z.string(), store: z.string() }),
});

/** An answer in JSON. */
export const answer = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});

export const problems = (...statuses: number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: 'Problem', content: { 'application/problem+json': { schema: problem } } },
    ]),
  );
