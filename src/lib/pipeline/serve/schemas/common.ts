/** What the shapes of several routes are made of: checked on the way in, and what the OpenAPI document is made of. */
import { z } from 'zod';
import { parseSince } from '../../../systems/message/values.ts';

export const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // eslint-disable-next-line no-control-regex -- as JSON Schema knows it, without \p
    .regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters');

export const moment = z
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

export const nullableText = z.string().nullable();

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

export const time = z.date().or(z.string()).describe('ISO 8601.');

export const binary = z.string().meta({ format: 'binary' });

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

export const switched = {
  at: time,
  account: z.string(),
  host: z.string(),
};

export const historyQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(20) });
