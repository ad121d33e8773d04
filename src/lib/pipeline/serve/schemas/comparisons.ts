/** Two published models compared on the same images. */
import { z } from 'zod';
import { nullableText, problem, text, time } from './common.ts';
import { digest } from './models.ts';

/** Of one comparison. */
export const mostImages = 500;

export const compareModels = z.strictObject({
  models: z
    .array(digest)
    .length(2)
    .refine(([first, second]) => first !== second, 'must be two different models'),
  belt: text(256).optional().describe('Images of this belt alone. Default: of all.'),
  images: z.number().int().min(1).max(mostImages).default(100).describe('How many, if there are as many.'),
});

export const comparisonParams = z.strictObject({ id: text(64) });

const share = z.number().nullable().describe('0 to 1; null without a labelled image.');
const interval = z.object({ low: z.number(), high: z.number() });

const compared = z.object({
  top1: share,
  interval95: interval.nullable().describe('Null with too few groups of similar images.'),
  behind: interval
    .extend({ mean: z.number() })
    .nullable()
    .describe('How far the other is ahead, with its 95 % interval; null for the better one.'),
  onlyRight: z.number().int().describe('Labelled images that it alone got right.'),
  ms: z.number().describe('Decoding, preparing and inference of an image: the median, in milliseconds.'),
  unknown: z.number().nullable().describe('Share that it calls unknown; null where it does not tell.'),
});

const said = z.object({
  category: z.string(),
  confidence: z.number().describe('Percent.'),
  unknown: z.boolean(),
  right: z.boolean().nullable().describe('Null without a label.'),
});

export const comparisonResult = z.object({
  images: z.number().int().describe('Classified by both.'),
  agree: z.number().int().describe('Images of which both say the same.'),
  models: z.array(compared).describe('In the order of the request.'),
  labelled: z
    .object({
      images: z.number().int(),
      groups: z.object({ count: z.number().int(), largest: z.number().int() }),
      leftOut: z
        .array(z.object({ label: z.string(), images: z.number().int() }))
        .describe('Labels that not both models have: their images do not count.'),
    })
    .describe('Images whose label somebody has said: accuracy and its intervals are of these.'),
  verdict: z
    .object({
      digest: nullableText.describe('Which one to take; null where nothing can be said.'),
      because: z.enum(['better', 'faster', 'right more often', 'equal', 'too early']),
      words: z.string().describe('As `visionscale model compare` says it.'),
    })
    .nullable()
    .describe('Null without a labelled image.'),
  differ: z
    .array(z.object({ imageKey: z.string(), label: nullableText, said: z.array(said) }))
    .describe(
      'At most 50 images of which they do not say the same: those that one alone got right come first.',
    ),
  unusable: z
    .object({
      count: z.number().int(),
      some: z.array(z.object({ imageKey: z.string(), reason: z.string() })).describe('At most 50.'),
    })
    .describe('Images that are gone from the store, or cannot be read.'),
});

export const comparison = z
  .object({
    id: z.string(),
    state: z.enum(['running', 'done', 'failed']),
    began: time,
    belt: nullableText,
    models: z.array(z.object({ digest: z.string(), name: z.string(), version: z.string() })),
    progress: z
      .object({
        stage: z.enum(['models', 'images', 'comparing']).describe('What is loaded, or done.'),
        done: z.number().int(),
        of: z.number().int(),
      })
      .describe('Of the stage.'),
    result: comparisonResult.nullable().describe('Null until it is done.'),
    failure: z
      .object({ code: z.string(), detail: z.string(), hint: z.string().optional() })
      .nullable()
      .describe('Why it failed.'),
  })
  .meta({ id: 'Comparison' });

/** Beside the problem, where one runs already. */
export const comparisonRuns = problem
  .extend({ comparison: z.string().optional().describe('The id of the one that runs.') })
  .meta({ id: 'ComparisonRuns' });
