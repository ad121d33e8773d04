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
    .describe('`true`: only objects unlike every class of the model.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  order: z
    .enum(['confidence', 'margin', 'novelty'])
    .optional()
    .describe(
      'First the least confident, the closest second category, or the most unlike every class. Default: `novelty` with `unknown`, else `confidence`.',
    ),
  since: moment
    .optional()
    .describe(
      'Processed then or later: 15m, 2h, 7d ago, or ISO 8601. Without it: of the latest 50,000 results (of the category, if one is given), those of the last 7 days, which is quick however many there are.',
    ),
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
    belts: z.array(z.string()).describe('Of the latest 10,000 results.'),
    models: z.array(z.object({ name: z.string(), version: z.string() })).describe('As `belts`.'),
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

const model = z.object({ name: z.string(), version: z.string(), digest: z.string() });

const modelAccuracy = z.object({
  model,
  day: nullableText.describe('In UTC; null: all days.'),
  ...measured,
  top5: share,
});

const nextClass = z.object({
  label: z.string(),
  share: z.number().describe('Of the latest images, what is probably of this class: 0 to 1.'),
  gain: z
    .number()
    .describe('Of the latest images, what more pictures might put right: 0 to 1. Orders the list.'),
  images: measured.images,
  right: measured.right,
  interval95: measured.interval95,
  takenFor: z.object({ category: z.string(), images: z.number().int() }).nullable(),
  unknownOn: z
    .object({ belt: nullableText, share: z.number() })
    .nullable()
    .describe('The belt with the largest share that is like no class.'),
  why: z.array(z.string()).describe('In words.'),
});

export const photographNext = z.object({
  model: model.nullable().describe('The one that made most of the latest results.'),
  predictions: z.number().int().describe('Latest results of it that were looked at.'),
  classes: z.array(nextClass).describe('At most eight, the most important first.'),
  note: z.string(),
});

export const accuracy = z
  .object({
    models: z
      .array(modelAccuracy)
      .describe('Those with a corrected image; the one that predicted one of them last comes first.'),
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
    photographNext,
  })
  .meta({ id: 'Accuracy' });
