/** `model.json`: what a model is called and how it wants its images. */
import { z } from 'zod';
import { outputKinds } from '../../base/classification.ts';
import { errorMessage } from '../../base/errors.ts';
import { imagenetPreprocessing } from '../images/preprocess.ts';
import { interpolations } from '../images/resize.ts';
import { invalidModel } from './model-files.ts';

/** Of an input, in pixels. */
export const [leastSide, mostSide] = [8, 4096];
const side = z.int().min(leastSide).max(mostSide);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const deviation = z.number().positive();

const preprocessing = z
  .object({
    resize: side.default(imagenetPreprocessing.resize),
    crop: side.default(imagenetPreprocessing.crop),
    mean: perChannel.default([...imagenetPreprocessing.mean]),
    std: z.tuple([deviation, deviation, deviation]).default([...imagenetPreprocessing.std]),
    interpolation: z.enum(interpolations).optional(),
    squash: z.boolean().optional(),
    cropOffset: z.literal('floor').optional(),
  })
  .refine(({ resize, crop }) => crop <= resize, { message: 'crop must not exceed resize', path: ['crop'] });

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** How good the model is, as far as it was measured; shares of 1. What else trainers write is kept. */
const metrics = z.looseObject({
  top1: z.number().optional(),
  top5: z.number().optional(),
  /** With its parent, on the images it was made with. */
  agreement: z.number().optional(),
  /** Below this agreement the model is not to become active. */
  minAgreement: z.number().optional(),
});

/** How it was trained; what else trainers write is kept. */
const training = z.looseObject({
  mode: z.string().max(100),
  /** Of the images and labels that it learned from, and of those that judged it. */
  data: digest,
  heldOut: digest,
  seed: z.int(),
});

/** What the held-out images of training showed, with which a stream is compared. */
const expected = z.object({
  images: z.int().positive(),
  /** Share of 1 called unknown; absent where the model does not tell. */
  unknown: z.number().min(0).max(1).optional(),
  /** Of the likeliest class, in percent. */
  confidence: z.object({ mean: z.number(), sd: z.number().nonnegative() }),
  /** How often each class was the likeliest, in the order of the labels. */
  classes: z.array(z.int().nonnegative()),
});

/** Keys unknown here are nobody's fault. */
const schema = z.object({
  name: z.string().min(1).max(200).optional(),
  version: z.string().min(1).max(200).optional(),
  /** The weights' digest; checked where it is given. */
  digest: digest.optional(),
  /** Instead of labels.txt. */
  labels: z.array(z.string()).min(1).optional(),
  preprocessing: preprocessing.default(preprocessing.parse({})),
  /** Width and height of the network's input: what `preprocessing.crop` leaves. */
  inputSize: side.optional(),
  /** Absent: what the graph ends in tells. */
  output: z.enum(outputKinds).optional(),
  /** Why `output` is what it is. */
  outputReason: z.string().max(500).optional(),
  /** ISO 8601. */
  created: z.iso.datetime({ offset: true }).optional(),
  /** Digest of the model that this one was made from. */
  parent: digest.optional(),
  /** What it was trained to tell apart, where that is little: said whenever it is used. Reads on after "knows". */
  knows: z.string().min(1).max(500).optional(),
  /** Where it came from: an address, a file's name and digest, a command. */
  source: z.string().max(2000).optional(),
  metrics: metrics.optional(),
  training: training.optional(),
  expected: expected.optional(),
  /** The engines that can run it; absent: all. */
  engines: z.array(z.string()).min(1).optional(),
});

export type Manifest = z.infer<typeof schema>;
export type ManifestMetrics = z.infer<typeof metrics>;
export type ExpectedResults = z.infer<typeof expected>;

/** What holds for a model without a manifest: torchvision's ImageNet networks. */
export const defaultManifest: Manifest = schema.parse({});

/** Throws `model_invalid`, naming every fault. */
export function parseManifest(text: string): Manifest {
  const result = schema.safeParse(parseJson(text));
  if (result.success) return consistent(result.data);
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'model.json'}: ${message}`,
  );
  throw invalidModel(`model.json is not a manifest: ${faults.join('; ')}`, {
    hint: 'Correct it, or remove it to use the settings of the ImageNet networks.',
  });
}

function consistent(manifest: Manifest): Manifest {
  const { inputSize, preprocessing } = manifest;
  if (inputSize === undefined || inputSize === preprocessing.crop) return manifest;
  throw invalidModel(`model.json says inputSize ${inputSize}, but preprocessing.crop ${preprocessing.crop}`, {
    hint: 'The crop is what the network sees: make both the same.',
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
