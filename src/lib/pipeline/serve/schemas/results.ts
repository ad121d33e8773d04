/** Results: in pages and as a stream. */
import { z } from 'zod';
import { moment, nullableText, text } from './common.ts';

const filters = {
  category: text(1000).optional(),
  bin: text(1000).optional(),
  model: text(1000).optional().describe('`name` or `name@version`.'),
  belt: text(256).optional(),
  consumer: text(256).optional().describe("The consumer's host."),
  unknown: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('`true`: only objects unlike every class of the model; `false`: only others.'),
};

export const resultsQuery = z.strictObject({
  ...filters,
  key: text(1024).optional().describe('The image key.'),
  since: moment.optional().describe('Processed then or later: 15m, 2h, 7d ago, or ISO 8601.'),
  until: moment.optional().describe('Processed before then.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  above: z.coerce.number().min(0).max(100).optional().describe('Confidence of this or more, in percent.'),
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

export const resultPage = z
  .object({
    results: z.array(result),
    next: nullableText.describe('The cursor of the next page; null at the end.'),
    lookedBackTo: nullableText.describe(
      'Null, or where the search stopped before it had found as many as asked for: it looks at no more than 50,000 results that time, key and category leave. Go on with `next`.',
    ),
  })
  .meta({ id: 'ResultPage' });
