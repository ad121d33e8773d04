/** Images that are sent, what is answered to them, and their pictures. */
import { z } from 'zod';
import { durationMs } from '../../../base/duration.ts';
import { maxRequestIdBytes } from '../../../systems/message/request.ts';
import { nullableText, problem, text, time } from './common.ts';
import { letter } from './dead-letters.ts';
import { result } from './results.ts';

/** The shapes of requests and answers: checked on the way in, and what the OpenAPI document is made of. */
/** Longest time that a request may be held for its result, in milliseconds. */
export const longestWaitMs = 30_000;

const wait = z
  .string()
  .max(20)
  .regex(/^\d+(\.\d+)?(ms|s)$|^0$/, 'must be a time such as 500ms or 5s')
  .transform((value) => Math.min(durationMs(value) ?? 0, longestWaitMs))
  .optional()
  .describe('How long to wait for the result: 500ms, 5s; at most 30s.');

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

export const accepted = z
  .object({ id: z.string(), status: z.literal('pending'), imageKey: z.string() })
  .meta({ id: 'Accepted' });

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
    stages: z
      .record(z.string(), z.number())
      .nullable()
      .describe(
        'Milliseconds of work by stage: fetch, decode, preprocess, infer. What `latencyMs` has beyond them is waiting.',
      ),
    message: z
      .object({ topic: z.string(), partition: z.number().int(), offset: z.number().int() })
      .nullable()
      .describe('The message that asked for it.'),
    deadLetter: letter
      .nullable()
      .describe('In any state; null too where the database does not let this server read it.'),
    correction: z
      .object({ label: z.string(), by: z.string(), at: time })
      .nullable()
      .describe('What people say that it is; null too where the database does not let this server read it.'),
    previous: nullableText.describe('Request id of the result before it; null: there is none near it.'),
    next: nullableText.describe('Request id of the result after it.'),
  })
  .meta({ id: 'Image' });

/** Only these, so that what is kept of them is bounded. */
const pictureSides = ['192', '1024'] as const;

export const pictureQuery = z.strictObject({
  key: text(1024).describe('The image key.'),
  side: z
    .enum(pictureSides)
    .default('192')
    .transform(Number)
    .describe('Side of the square that the picture fits into, in pixels.'),
});
