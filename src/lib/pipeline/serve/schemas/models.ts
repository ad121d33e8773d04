/** Published models, and switching them. */
import { z } from 'zod';
import { nullableText, problem, switched, text, time } from './common.ts';

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits');

const beltName = text(256).optional().describe('Of this belt alone. Default: of the pipeline.');

export const publishedModels = z
  .object({
    models: z.array(
      z.object({
        digest: z.string(),
        name: z.string(),
        version: z.string(),
        labels: z.number().int().describe('How many.'),
        metrics: z
          .looseObject({
            top1: z.number().optional(),
            top5: z.number().optional(),
            agreement: z.number().optional().describe('With its parent.'),
          })
          .nullable()
          .describe('What was measured; shares of 1.'),
        created: nullableText,
        publishedAt: time,
        parent: nullableText.describe('Digest of the model that it was made from.'),
        knows: nullableText,
        source: nullableText,
        training: z.looseObject({ mode: z.string() }).nullable(),
        expected: z
          .object({
            images: z.number().int(),
            unknown: z.number().optional(),
            confidence: z.object({ mean: z.number(), sd: z.number() }),
          })
          .nullable()
          .describe('What the held-out images of training showed.'),
        usedBy: z
          .array(nullableText)
          .describe('Belts that have it as their own; null: the pipeline, and all other belts.'),
      }),
    ),
    belts: z.array(z.string()).describe('With a model of their own, or among the last 1,000 results.'),
  })
  .meta({ id: 'PublishedModels' });

export const modelHistory = z
  .object({
    switches: z.array(
      z.object({
        ...switched,
        belt: nullableText.describe("Null: the pipeline's."),
        former: nullableText.describe("Null: none, or of a belt the pipeline's."),
        current: nullableText,
      }),
    ),
  })
  .meta({ id: 'ModelHistory' });

const consent = {
  confirm: z.boolean().default(false).describe('Without it the answer says what would change (409).'),
  force: z
    .boolean()
    .default(false)
    .describe('Though the bins in force do not fit, or it agrees too little with its parent.'),
};

export const useModel = z.strictObject({
  digest: digest.nullable().describe("Null, with a belt: it takes the pipeline's model again."),
  belt: beltName,
  ...consent,
});

export const rollbackModel = z.strictObject({ belt: beltName, ...consent });

const side = z.object({
  name: z.string(),
  version: z.string(),
  digest: z.string(),
  labels: z.number().int(),
  top1: z.number().nullable().describe('Share of its own test images that it got right.'),
});

const someLabels = z.object({ count: z.number().int(), some: z.array(z.string()) });

/** Beside the problem, where a switch is refused until it is confirmed. */
export const modelChange = z
  .object({
    belt: nullableText,
    before: side.nullable(),
    after: side,
    labels: z.object({ removed: someLabels, added: someLabels }),
    bins: z
      .object({ version: z.number().int(), faults: z.array(z.string()), notes: z.array(z.string()) })
      .nullable(),
    force: z.array(z.string()).describe('What only `force` overrides.'),
  })
  .meta({ id: 'ModelChange' });

export const unconfirmed = problem.extend({ change: modelChange.optional() }).meta({ id: 'Unconfirmed' });

export const modelUsed = z.object({
  digest: z.string(),
  name: z.string(),
  version: z.string(),
  belt: nullableText,
});
