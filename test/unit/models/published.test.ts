/** What others write beside their weights: taken as they mean it, or refused by name. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { publishedPreprocessing } from '../../../src/lib/models/format/published.ts';
import { cropWindow } from '../../../src/lib/models/images/preprocess.ts';

let directory: string;
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'visionscale-published-'))));
afterEach(() => rm(directory, { recursive: true }));

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const normalized = { image_mean: imagenet.mean, image_std: imagenet.std };

async function read(name: string, content: unknown) {
  await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
  return publishedPreprocessing(directory);
}

describe('preprocessor_config.json', () => {
  it.each([
    [
      'shorter side and centre crop',
      { size: { shortest_edge: 256 }, resample: 2, do_center_crop: true, crop_size: { height: 224, width: 224 }, ...normalized },
      { resize: 256, crop: 224, ...imagenet, interpolation: 'bilinear', cropOffset: 'floor' },
    ],
    [
      'both sides, no crop',
      { do_resize: true, size: { height: 224, width: 224 }, resample: 3, do_normalize: true },
      { resize: 224, crop: 224, ...half, interpolation: 'bicubic', squash: true },
    ],
    [
      'a share that is cropped',
      { size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 3, ...normalized },
      { resize: 256, crop: 224, ...imagenet, interpolation: 'bicubic', cropOffset: 'floor' },
    ],
    [
      'a share that is not cropped from 384 pixels on',
      { size: { shortest_edge: 384 }, crop_pct: 0.95, resample: 3, ...normalized },
      { resize: 384, crop: 384, ...imagenet, interpolation: 'bicubic', squash: true },
    ],
    [
      'older files with plain numbers, and no normalisation',
      { size: 256, crop_size: 224, resample: 2, do_center_crop: true, do_normalize: false },
      {
        resize: 256,
        crop: 224,
        mean: [0, 0, 0],
        std: [1, 1, 1],
        interpolation: 'bilinear',
        cropOffset: 'floor',
        squash: true,
      },
    ],
    [
      'CLIP’s plain number, which is the shorter side',
      { feature_extractor_type: 'CLIPFeatureExtractor', size: 224, crop_size: 224, resample: 3, ...normalized },
      { resize: 224, crop: 224, ...imagenet, interpolation: 'bicubic', cropOffset: 'floor' },
    ],
    [
      'MobileViT: blue, green, red, and no normalisation',
      { feature_extractor_type: 'MobileViTFeatureExtractor', size: 288, crop_size: 256, do_flip_channel_order: true },
      {
        resize: 288,
        crop: 256,
        mean: [0, 0, 0],
        std: [1, 1, 1],
        interpolation: 'bilinear',
        blueFirst: true,
        cropOffset: 'floor',
      },
    ],
    [
      'Levit: the size is the crop’s',
      {
        image_processor_type: 'LevitImageProcessor',
        size: { shortest_edge: 224 },
        do_center_crop: true,
        crop_size: { height: 224, width: 224 },
        resample: 3,
      },
      { resize: 256, crop: 224, ...half, interpolation: 'bicubic', cropOffset: 'floor' },
    ],
    [
      'PoolFormer: a share, and a crop',
      { size: { height: 224, width: 224 }, crop_pct: 0.9, do_center_crop: true, crop_size: 224, resample: 3 },
      { resize: 248, crop: 224, ...half, interpolation: 'bicubic', cropOffset: 'floor' },
    ],
    [
      'values from −1 to 1 by a factor and an offset',
      { size: { height: 224, width: 224 }, rescale_factor: 1 / 127.5, rescale_offset: true, do_normalize: false },
      { resize: 224, crop: 224, ...half, interpolation: 'bilinear', squash: true },
    ],
    [
      'EfficientNet: divided by the deviation twice',
      { size: { height: 224, width: 224 }, include_top: true, image_mean: [0, 0, 0], image_std: [0.5, 0.5, 0.5] },
      { resize: 224, crop: 224, mean: [0, 0, 0], std: [0.25, 0.25, 0.25], interpolation: 'bilinear', squash: true },
    ],
    [
      'values from 0 to 255',
      { size: { height: 224, width: 224 }, do_rescale: false, do_normalize: false },
      {
        resize: 224,
        crop: 224,
        mean: [0, 0, 0],
        std: [1 / 255, 1 / 255, 1 / 255],
        interpolation: 'bilinear',
        squash: true,
      },
    ],
    [
      'timm’s own settings inside',
      {
        image_processor_type: 'TimmWrapperImageProcessor',
        pretrained_cfg: { input_size: [3, 224, 224], ...imagenet, crop_pct: 0.95 },
      },
      { resize: 235, crop: 224, ...imagenet, interpolation: 'bicubic' },
    ],
  ])('is understood: %s', async (_, content, wanted) => {
    expect(await read('preprocessor_config.json', content)).toEqual(wanted);
  });

  it.each([
    ['do_resize is false', { do_resize: false, size: 224 }],
    ['rescale_factor', { size: 224, rescale_factor: 0 }],
    ['do_color_quantize', { size: 224, do_color_quantize: true }],
    ['do_pad', { size: 224, do_pad: true }],
    ['interpolation nearest', { size: 224, resample: 0 }],
    ['interpolation lanczos', { size: 224, resample: 1 }],
    ['224×160, not square', { size: { height: 224, width: 160 } }],
    ['no centre crop', { size: { shortest_edge: 256 } }],
    ['crop_size 300, size 256', { size: { shortest_edge: 256 }, do_center_crop: true, crop_size: 300 }],
    ['size is missing', {}],
    ['image_std.0', { size: 224, image_std: [0, 1, 1] }],
    ['is not JSON', '{'],
  ])('is refused by name: %s', async (words, content) => {
    await expect(read('preprocessor_config.json', content)).rejects.toThrow(words);
    await expect(publishedPreprocessing(directory)).rejects.toMatchObject({ code: 'model_invalid' });
  });
});

describe('config.json of timm', () => {
  const cfg = { input_size: [3, 224, 224], ...imagenet, crop_pct: 0.9, interpolation: 'bicubic', crop_mode: 'center' };

  it.each([
    ['crop_pct', cfg, { resize: 248, crop: 224, ...imagenet, interpolation: 'bicubic' }],
    ['squash', { ...cfg, crop_pct: 1, crop_mode: 'squash' }, { resize: 224, crop: 224, ...imagenet, interpolation: 'bicubic', squash: true }],
  ])('is understood: %s', async (_, pretrained_cfg, wanted) => {
    expect(await read('config.json', { architecture: 'any', pretrained_cfg })).toEqual(wanted);
  });

  it.each([
    ['crop_mode border', { ...cfg, crop_mode: 'border' }],
    ['224×320, not square', { ...cfg, input_size: [3, 224, 320] }],
    ['interpolation random', { ...cfg, interpolation: 'random' }],
    ['mean', { ...cfg, mean: [0.5] }],
  ])('is refused by name: %s', async (words, pretrained_cfg) => {
    await expect(read('config.json', { pretrained_cfg })).rejects.toThrow(words);
  });

  it('is nothing where it is about something else', async () => {
    expect(await read('config.json', { id2label: { 0: 'a', 1: 'b' } })).toBeUndefined();
  });
});

it('without the files nothing is known', async () => {
  expect(await publishedPreprocessing(directory)).toBeUndefined();
});

it('squash makes both sides the same', () => {
  const image = { width: 500, height: 375 };
  expect(cropWindow(image, { resize: 256, crop: 224, mean: [0, 0, 0], std: [1, 1, 1], squash: true })).toEqual({
    size: { width: 256, height: 256 },
    window: { left: 16, top: 16, width: 224, height: 224 },
  });
});

it('an odd margin is halved as who published the model does it', () => {
  const square = { resize: 227, crop: 224, mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const image = { width: 227, height: 227 };
  expect(cropWindow(image, square).window).toMatchObject({ left: 2, top: 2 });
  expect(cropWindow(image, { ...square, cropOffset: 'floor' }).window).toMatchObject({ left: 1, top: 1 });
});
