/**
 * How a model wants its images, as those write it who publish models: Hugging Face's preprocessor_config.json, and what timm
 * writes into config.json (pretrained_cfg). What cannot be done exactly is refused by name, never guessed.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, type VisionscaleError } from '../../base/errors.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { invalidModel, readModelText } from './model-files.ts';

/** What others call what `model add --preset` takes; side and resize are the network's own. */
export const presets = {
  /** torchvision's, and most of timm's. */
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  /** Values from −1 to 1: TensorFlow's, Inception, ViT. */
  tf: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  /** (x − 127) / 128: EfficientNet-Lite. */
  lite: { mean: [127 / 255, 127 / 255, 127 / 255], std: [128 / 255, 128 / 255, 128 / 255] },
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
  /** From 0 to 255: networks that scale by themselves, as most of Keras's do. */
  pixels: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  /** From 0 to 255 less ImageNet's mean; the channels come as blue, green, red. Keras's ResNet50 and VGG16. */
  caffe: { mean: [123.68 / 255, 116.779 / 255, 103.939 / 255], std: [1 / 255, 1 / 255, 1 / 255] },
} as const satisfies Record<string, Pick<Preprocessing, 'mean' | 'std'>>;

export type Preset = keyof typeof presets;

export interface Published extends Preprocessing {
  /** The network wants its channels in the order blue, green, red. */
  blueFirst?: true;
}

const maxBytes = 16 * 2 ** 20;

/** Beside the weights. Throws `model_invalid` for what is written there and cannot be done. */
export async function publishedPreprocessing(directory: string): Promise<Published | undefined> {
  const read = async (name: string) => {
    const text = await readModelText(join(directory, name), maxBytes);
    return text === undefined ? undefined : { name, json: parse(text, name) };
  };
  const processor = await read('preprocessor_config.json');
  if (processor !== undefined) return ofProcessor(processor.json, processor.name);
  const config = await read('config.json');
  const timm = z.looseObject({ pretrained_cfg: z.unknown() }).safeParse(config?.json);
  return timm.success ? ofTimm(timm.data.pretrained_cfg, 'pretrained_cfg of config.json') : undefined;
}

const side = z.int().min(8).max(4096);
const channels = z.tuple([z.number(), z.number(), z.number()]);
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);

const timmSchema = z.looseObject({
  input_size: z.tuple([z.literal(3), side, side]),
  mean: channels,
  std: deviations,
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.string().default('center'),
  interpolation: z.string().default('bicubic'),
});

function ofTimm(json: unknown, name: string): Preprocessing {
  const { input_size, mean, std, crop_pct, crop_mode, interpolation } = checked(timmSchema, json, name);
  const [, height, width] = input_size;
  if (height !== width) throw cannot(name, `input_size is ${height}×${width}, not square`);
  if (!['center', 'squash'].includes(crop_mode)) throw cannot(name, `crop_mode ${crop_mode}`);
  return {
    // As timm rounds it.
    resize: Math.floor(width / crop_pct),
    crop: width,
    mean,
    std,
    interpolation: interpolationOf(interpolation, name),
    ...(crop_mode === 'squash' && { squash: true }),
  };
}

const sizes = z.union([
  side,
  z.looseObject({ shortest_edge: side }),
  z.looseObject({ height: side, width: side }),
]);

const processorSchema = z.looseObject({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: sizes.optional(),
  resample: z.int().default(2),
  do_center_crop: z.boolean().optional(),
  crop_size: sizes.optional(),
  /** ConvNeXt's and PoolFormer's: the crop's share of what is resized. */
  crop_pct: z.number().positive().max(1).nullish(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().positive().default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().nullish(),
  image_mean: channels.nullish(),
  image_std: deviations.nullish(),
  /** EfficientNet's: divides by the deviation twice. */
  include_top: z.boolean().default(false),
  do_flip_channel_order: z.boolean().default(false),
  do_color_quantize: z.boolean().default(false),
  do_pad: z.boolean().nullish(),
});

type Processor = z.infer<typeof processorSchema>;

function ofProcessor(json: unknown, name: string): Published {
  const wrapped = z.looseObject({ pretrained_cfg: z.looseObject({}) }).safeParse(json);
  if (wrapped.success) return ofTimm(wrapped.data.pretrained_cfg, `pretrained_cfg of ${name}`);
  const given = checked(processorSchema, json, name);
  if (!given.do_resize) throw cannot(name, 'do_resize is false');
  if (given.do_color_quantize) throw cannot(name, 'do_color_quantize is true');
  if (given.do_pad) throw cannot(name, 'do_pad is true');
  if (given.size === undefined) throw cannot(name, 'size is missing');
  const values = {
    ...scaling(given),
    interpolation: resampling(given.resample, name),
    ...(given.do_flip_channel_order && { blueFirst: true as const }),
  };
  const share = given.crop_pct ?? undefined;
  const { edge, isShorter: isShorterGiven } = edgeOf(given.size, name, shorterByDefault.some((network) => isA(given, network)));
  const isShorter = isShorterGiven || share !== undefined;
  // Levit's size is resized to as ImageNet's 256 is to 224.
  const resize = Math.trunc(share !== undefined ? edge / share : isA(given, 'Levit') && isShorter ? (256 / 224) * edge : edge);
  if (given.do_center_crop ?? given.crop_size !== undefined) {
    const crop = given.crop_size === undefined ? undefined : edgeOf(given.crop_size, name).edge;
    if (crop === undefined || crop > resize) throw cannot(name, `crop_size ${crop ?? 'is missing'}, size ${resize}`);
    return { resize, crop, ...values, cropOffset: 'floor', ...(!isShorter && { squash: true }) };
  }
  // ConvNeXt's below 384 pixels; from there on, and without a crop, both sides are made the same.
  if (share !== undefined && edge < 384) return { resize, crop: edge, ...values, cropOffset: 'floor' };
  if (isShorter && share === undefined)
    throw cannot(name, 'only the shorter side is given, and no centre crop: images would keep their shapes');
  return { resize: edge, crop: edge, ...values, squash: true };
}

/** Of a plain number these make the shorter side; other processors make both. */
const shorterByDefault = 'Bit,CLIP,ChineseCLIP,ConvNext,Levit,MobileNet,MobileViT,PoolFormer'.split(',');

/** x · factor − offset, then (x − mean) / deviation: as one mean and deviation of values from 0 to 1. */
function scaling(given: Processor): Pick<Preprocessing, 'mean' | 'std'> {
  // Apple's have no normalisation, and do not say so.
  const normalizes = given.do_normalize ?? !isA(given, 'MobileViT');
  const mean = normalizes ? (given.image_mean ?? [0.5, 0.5, 0.5]) : [0, 0, 0];
  const std = normalizes ? (given.image_std ?? [0.5, 0.5, 0.5]) : [1, 1, 1];
  const factor = given.do_rescale ? given.rescale_factor * 255 : 255;
  const by = Math.abs(factor - 1) < 1e-6 ? 1 : factor;
  const offset = given.do_rescale && given.rescale_offset ? 1 : 0;
  const each = (value: (i: number) => number) => [value(0), value(1), value(2)] as const;
  return {
    mean: each((i) => (mean[i]! + offset) / by),
    std: each((i) => std[i]! ** (normalizes && given.include_top ? 2 : 1) / by),
  };
}

/** Whether the processor's class is one of this network's. */
function isA({ image_processor_type: type, feature_extractor_type: older }: Processor, network: string): boolean {
  return (type ?? older ?? '').startsWith(network);
}

function edgeOf(
  size: z.infer<typeof sizes>,
  name: string,
  isShorter = false,
): { edge: number; isShorter: boolean } {
  if (typeof size === 'number') return { edge: size, isShorter };
  if ('shortest_edge' in size) return { edge: size.shortest_edge as number, isShorter: true };
  const { height, width } = size as { height: number; width: number };
  if (height !== width) throw cannot(name, `size is ${height}×${width}, not square`);
  return { edge: height, isShorter: false };
}

function resampling(resample: number, name: string): 'bilinear' | 'bicubic' {
  // Pillow's numbers.
  const names: Record<number, string> = { 0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic', 4: 'box', 5: 'hamming' };
  return interpolationOf(names[resample] ?? `${resample}`, name);
}

function interpolationOf(interpolation: string, name: string): 'bilinear' | 'bicubic' {
  if (interpolation === 'bilinear' || interpolation === 'bicubic') return interpolation;
  throw cannot(name, `interpolation ${interpolation}`);
}

function checked<T>(schema: z.ZodType<T>, json: unknown, name: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || name}: ${message}`);
  throw invalidModel(`${name} cannot be read: ${faults.join('; ')}`, { hint });
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidModel(`${name} is not JSON: ${errorMessage(cause)}`, { hint: 'Correct or remove it.', cause });
  }
}

const hint = 'Or say how images are prepared: --resize, --crop, --mean, --std, --interpolation; then the file is not read.';

function cannot(name: string, what: string): VisionscaleError {
  return invalidModel(`${name} asks for what visionscale does not do: ${what}`, { hint });
}
