/** The models that `model pull` knows by name. What is not known for certain is absent: no digest or figure is a guess. */
import { imagenetPreprocessing, type Preprocessing } from '../images/preprocess.ts';

export interface CatalogueModel {
  /** What the model is called, here and in the store. */
  name: string;
  /** One line for people. */
  about: string;
  from: WeightsFile | HubFile;
  /** Of the download, in MB, as its publisher says. */
  megabytes?: number;
  /** Of the weights: an SPDX identifier. */
  license: string;
  /** Published top-1 accuracy on ImageNet's validation images at this input size, in percent, and where it is said. */
  top1: number;
  top1Source: string;
  /** Time for an image as a multiple of squeezenet1_1's: onnxruntime, one thread, Linux x64. Absent: not measured. */
  cost?: number;
  preprocessing: Preprocessing;
}

/** A `.pth` file of torchvision; its 1000 labels come with the package. */
export interface WeightsFile {
  kind: 'pth';
  url: string;
  /** Its sha256, or as many of the first digits as torchvision's name for the file has. */
  sha256: string;
}

/** An ONNX file of the Hugging Face hub, with its labels in `config.json`. The commit names the bytes. */
export interface HubFile {
  kind: 'hub';
  repository: string;
  commit: string;
  file: string;
}

const bicubic: Preprocessing = { ...imagenetPreprocessing, interpolation: 'bicubic' };

export const catalogue: readonly CatalogueModel[] = [
  {
    name: 'squeezenet1_1',
    about: 'the reference; small and fast',
    from: {
      kind: 'pth',
      url: 'https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth',
      sha256: 'b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b',
    },
    megabytes: 5,
    license: 'BSD-3-Clause',
    top1: 58.2,
    top1Source: 'https://pytorch.org/vision/stable/models/generated/torchvision.models.squeezenet1_1.html',
    cost: 1,
    preprocessing: imagenetPreprocessing,
  },
  {
    name: 'squeezenet1_0',
    about: 'the version before; slower, no better',
    from: {
      kind: 'pth',
      url: 'https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth',
      sha256: 'b66bff10',
    },
    megabytes: 5,
    license: 'BSD-3-Clause',
    top1: 58.1,
    top1Source: 'https://pytorch.org/vision/stable/models/generated/torchvision.models.squeezenet1_0.html',
    preprocessing: imagenetPreprocessing,
  },
  {
    name: 'mobilenetv4_conv_small',
    about: 'faster than SqueezeNet and far better',
    from: {
      kind: 'hub',
      repository: 'onnx-community/mobilenetv4s-webnn',
      commit: '4d0797f67ae5973e65432967711289f4f2f47190',
      file: 'onnx/model.onnx',
    },
    megabytes: 15,
    license: 'Apache-2.0',
    top1: 73.8,
    top1Source: 'https://huggingface.co/timm/mobilenetv4_conv_small.e2400_r224_in1k',
    cost: 0.65,
    preprocessing: bicubic,
  },
  {
    name: 'mobilenetv3_large_100',
    about: 'as fast as SqueezeNet',
    from: {
      kind: 'hub',
      repository: 'onnx-community/mobilenetv3_large_100.ra_in1k',
      commit: '5d2a48c332a69c55c9ac3ad081fa0db74b6aa608',
      file: 'onnx/model.onnx',
    },
    license: 'Apache-2.0',
    top1: 75.8,
    top1Source: 'https://github.com/rwightman/gen-efficientnet-pytorch',
    cost: 1.04,
    preprocessing: bicubic,
  },
  {
    name: 'mobilenetv4_conv_medium',
    about: 'the most accurate here',
    from: {
      kind: 'hub',
      repository: 'onnx-community/mobilenetv4_conv_medium.e500_r256_in1k',
      commit: '46483fa826d2e19a097d182e35d1988f51c2180b',
      file: 'onnx/model.onnx',
    },
    license: 'Apache-2.0',
    top1: 79.9,
    top1Source: 'https://huggingface.co/timm/mobilenetv4_conv_medium.e500_r256_in1k',
    // timm's crop_pct of 0.95: 256 / 0.95.
    preprocessing: { ...bicubic, resize: 269, crop: 256 },
  },
];

/** What scripts of former versions say. */
const formerNames: Readonly<Record<string, string>> = { imagenet: 'squeezenet1_1' };

export function inCatalogue(name: string): CatalogueModel | undefined {
  const now = Object.hasOwn(formerNames, name) ? formerNames[name] : name;
  return catalogue.find((model) => model.name === now);
}
