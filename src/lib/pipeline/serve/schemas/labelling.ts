/** What the model was unsure of, what images really are, and how good the model is by that. */
import { z } from 'zod';
import { moment, nullableText, text } from './common.ts';
import { result } from './results.ts';

export const unsureQuery = z.strictObject({
  category: text(1000).optional(),
  belt: text(256).optional(),
  model: text(1000).optional().describe('`name` or `name@version`.'),
  unknown: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('`true`: only objects unlike every class of the model, the most unlike first.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  since: moment.optional().describe('Processed then or later: 15m, 2h, 7d ago, or ISO 8601.'),
  limit: z.coerce.number().int().min(1).max(200).default(60),
});

export const unsure = z
  .object({
    images: z.array(
      result.pick({
        imageKey: true,
        category: true,
        confidence: true,
        top: true,
        novelty: true,
        model: true,
        processedAt: true,
      }),
    ),
  })
  .meta({ id: 'Unsure' });

export const labels = z
  .object({
    labels: z.array(
      z.object({ label: z.string(), corrections: z.number().int().describe('How many images have it.') }),
    ),
  })
  .meta({ id: 'Labels' });

export const label = text(500).describe('What the image really is.');

const eachOnce = (corrections: readonly { imageKey: string }[]) =>
  new Set(corrections.map(({ imageKey }) => imageKey)).size === corrections.length;

const onlyOnce = 'must name each image once';

export const corrections = z.strictObject({
  corrections: z
    .array(z.strictObject({ imageKey: text(1024), label }))
    .min(1)
    .max(200)
    .refine(eachOnce, onlyOnce),
  new: z.boolean().default(false).describe('Accept labels that the model lacks, as new classes.'),
});

const former = z
  .strictObject({
    label,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
  })
  .nullable()
  .describe('What was said before; null: nothing.');

export const corrected = z
  .object({
    corrections: z.array(
      z.object({
        imageKey: z.string(),
        label: z.string(),
        predicted: nullableText,
        changed: z.boolean(),
        former,
      }),
    ),
  })
  .meta({ id: 'Corrected' });

export const correctionsToUndo = z.strictObject({
  corrections: z
    .array(z.strictObject({ imageKey: text(1024), label, former }))
    .min(1)
    .max(200)
    .refine(eachOnce, onlyOnce),
});

export const takenBack = z.object({ undone: z.array(z.string()).describe('Image keys.') });

const share = z.number().nullable().describe('0 to 1; null without a corrected image.');

export const measured = {
  images: z.number().int().describe('Corrected images.'),
  right: z.number().int(),
  top1: share,
  interval95: z.object({ low: z.number(), high: z.number() }).nullable(),
};

const modelAccuracy = z.object({
  model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  day: nullableText.describe('In UTC; null: all days.'),
  predicted: z.number().int().describe('Images that it predicted, corrected or not.'),
  ...measured,
  top5: share,
});

export const accuracy = z
  .object({
    models: z.array(modelAccuracy).describe('The one that predicted last comes first.'),
    days: z.array(modelAccuracy),
    note: z.string(),
    classes: z
      .array(z.object({ digest: z.string().describe('Of the model.'), label: z.string(), ...measured }))
      .describe('The worst first.'),
    confused: z
      .array(
        z.object({ digest: z.string(), label: z.string(), category: z.string(), images: z.number().int() }),
      )
      .describe('Images of `label` that the model called `category`, the most frequent first.'),
  })
  .meta({ id: 'Accuracy' });
