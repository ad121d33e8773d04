/** `model.json`: what a model is called and how it wants its images. */
import { z } from 'zod';
import { errorMessage } from '../errors.ts';
import { imagenetPreprocessing } from '../images/preprocess.ts';
import { invalidModel } from './model-files.ts';

const side = z.int().min(8).max(4096);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const deviation = z.number().positive();

const preprocessing = z
  .object({
    resize: side.default(imagenetPreprocessing.resize),
    crop: side.default(imagenetPreprocessing.crop),
    mean: perChannel.default([...imagenetPreprocessing.mean]),
    std: z.tuple([deviation, deviation, deviation]).default([...imagenetPreprocessing.std]),
  })
  .refine(({ resize, crop }) => crop <= resize, { message: 'crop must not exceed resize', path: ['crop'] });

/** Keys unknown here (metrics, parent and what else trainers write) are nobody's fault. */
const schema = z.object({
  name: z.string().min(1).max(200).optional(),
  version: z.string().min(1).max(200).optional(),
  /** The weights' digest; checked where it is given. */
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional(),
  /** Instead of labels.txt. */
  labels: z.array(z.string()).min(1).optional(),
  preprocessing: preprocessing.default(preprocessing.parse({})),
  output: z.enum(['logits', 'probabilities']).default('logits'),
});

export type Manifest = z.infer<typeof schema>;

/** What holds for a model without a manifest: torchvision's ImageNet networks. */
export const defaultManifest: Manifest = schema.parse({});

/** Throws `model_invalid`, naming every fault. */
export function parseManifest(text: string): Manifest {
  const result = schema.safeParse(parseJson(text));
  if (result.success) return result.data;
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'model.json'}: ${message}`,
  );
  throw invalidModel(`model.json is not a manifest: ${faults.join('; ')}`, {
    hint: 'Correct it, or remove it to use the settings of the ImageNet networks.',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidModel(`model.json is not JSON: ${errorMessage(cause)}`, {
      hint: 'Correct or remove it.',
      cause,
    });
  }
}
