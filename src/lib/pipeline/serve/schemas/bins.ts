/** Bin rules: in force, tried, changed. */
import { z } from 'zod';
import { nullableText, switched, text } from './common.ts';

export const bins = z
  .object({
    version: z.number().int().nullable().describe('Null if the pipeline has no bins.'),
    source: nullableText,
    digest: nullableText,
    createdAt: nullableText,
    rules: z
      .object({
        manual: z.string(),
        unknown: z.string(),
        bins: z.array(
          z.object({
            bin: z.string(),
            classes: z.array(z.string()),
            confidence: z.number(),
            margin: z.number(),
          }),
        ),
      })
      .nullable(),
    text: nullableText.describe('The rules as a YAML file.'),
  })
  .meta({ id: 'Bins' });

export const binCounts = z
  .object({
    minutes: z.number().int(),
    bins: z.array(z.object({ bin: nullableText, reason: nullableText, results: z.number().int() })),
  })
  .meta({ id: 'BinCounts' });

/** Of rules as text. */
export const mostRulesBytes = 64 * 1024;

const rules = z
  .string()
  .min(1)
  .max(mostRulesBytes)
  .describe('As the text of a YAML or JSON file, up to 64 KiB.');

const versionInForce = z
  .int()
  .positive()
  .nullable()
  .describe('The version that is in force and replaced; null: none.');

export const tryBins = z.strictObject({ rules });

export const useBins = z.strictObject({
  rules,
  source: text(200).describe('What to call them.'),
  version: versionInForce,
  force: z.boolean().default(false).describe('Though they name labels that the model lacks.'),
});

export const rollbackBins = z.strictObject({
  version: versionInForce,
  force: z.boolean().default(false),
});

export const triedBins = z
  .object({
    version: z.number().int().nullable().describe('In force now.'),
    checked: z.boolean().describe('False: no model was chosen, so labels could not be checked.'),
    faults: z.array(z.string()).describe('Classes and globs that name no label.'),
    notes: z.array(z.string()),
    results: z.number().int().describe('The latest ones that were tried.'),
    bins: z.array(z.object({ bin: z.string(), now: z.number().int(), then: z.number().int() })),
    moves: z.array(
      z.object({
        from: nullableText,
        to: z.string(),
        results: z.number().int(),
        examples: z.array(z.object({ id: z.string(), imageKey: z.string(), category: z.string() })),
      }),
    ),
  })
  .meta({ id: 'TriedBins' });

export const binsUsed = z.object({
  version: z.number().int(),
  created: z.boolean(),
  former: z.number().int().nullable(),
});

export const binHistory = z
  .object({
    switches: z.array(
      z.object({ ...switched, former: z.number().int().nullable(), current: z.number().int() }),
    ),
  })
  .meta({ id: 'BinHistory' });
