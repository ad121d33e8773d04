/** Dead letters, and what is done with them. */
import { z } from 'zod';
import { nullableText, text, time } from './common.ts';

export const lettersQuery = z.strictObject({
  code: text(100).optional().describe('The error code.'),
  state: z.enum(['open', 'resolved', 'dropped', 'all']).default('open'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  before: z.coerce.number().int().positive().optional().describe('`next` of the previous page.'),
  each: z.coerce
    .number()
    .int()
    .min(1)
    .max(50)
    .optional()
    .describe(
      'The latest open ones of each code, so many of them; `code`, `state` and `before` do not count then.',
    ),
});

export const letter = z.object({
  id: z.number().int(),
  state: z.enum(['open', 'resolved', 'dropped']),
  stage: z.string(),
  code: z.string(),
  message: z.string(),
  imageKey: nullableText,
  requestId: z.string(),
  topic: z.string(),
  partition: z.number().int(),
  offset: z.number().int(),
  attempts: z.number().int(),
  hostname: z.string(),
  firstAt: time,
  lastAt: time,
  retrySentAt: time.nullable(),
  closedAt: time.nullable(),
});

export const letterPage = z
  .object({
    letters: z.array(letter),
    open: z.record(z.string(), z.number().int()).describe('Open ones by code.'),
    next: z.number().int().nullable(),
  })
  .meta({ id: 'DeadLetterPage' });

export const letterIds = z.strictObject({
  ids: z.array(z.int().positive()).min(1).max(1000).describe('Of dead letters.'),
});

export const retried = z.object({
  retried: z.number().int(),
  refused: z.number().int().describe('Whose message is larger than what the topic takes.'),
});

export const dropped = z.object({ dropped: z.number().int() });
