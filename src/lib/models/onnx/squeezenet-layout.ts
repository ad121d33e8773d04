/** The layers of SqueezeNet 1.1, and of 1.0, under the names that torchvision's state dict gives them. */

export interface Convolution {
  /** Its tensors are `<name>.weight` and `<name>.bias`. */
  name: string;
  inputs: number;
  outputs: number;
  /** Width and height of the kernel, padded so that 3 keeps the size (except in the first layer, which shrinks it). */
  kernel: 1 | 3 | 7;
}

export interface Fire {
  squeeze: Convolution;
  expand1x1: Convolution;
  expand3x3: Convolution;
}

/** What follows the first convolution and its ReLU, in order. */
export type Block = 'pool' | Fire;

export const stem: Convolution = { name: 'features.0', inputs: 3, outputs: 64, kernel: 3 };

export const blocks: readonly Block[] = [
  'pool',
  fire(3, 64, 16, 64),
  fire(4, 128, 16, 64),
  'pool',
  fire(6, 128, 32, 128),
  fire(7, 256, 32, 128),
  'pool',
  fire(9, 256, 48, 192),
  fire(10, 384, 48, 192),
  fire(11, 384, 64, 256),
  fire(12, 512, 64, 256),
];

/** What tells the two versions apart: their beginning, and where they pool. */
export interface SqueezeNetLayout {
  /** As torchvision calls it. */
  name: 'squeezenet1_0' | 'squeezenet1_1';
  stem: Convolution;
  blocks: readonly Block[];
}

export const squeezeNet11: SqueezeNetLayout = { name: 'squeezenet1_1', stem, blocks };

export const squeezeNet10: SqueezeNetLayout = {
  name: 'squeezenet1_0',
  stem: { name: 'features.0', inputs: 3, outputs: 96, kernel: 7 },
  blocks: [
    'pool',
    fire(3, 96, 16, 64),
    fire(4, 128, 16, 64),
    fire(5, 128, 32, 128),
    'pool',
    fire(7, 256, 32, 128),
    fire(8, 256, 48, 192),
    fire(9, 384, 48, 192),
    fire(10, 384, 64, 256),
    'pool',
    fire(12, 512, 64, 256),
  ],
};

export function classifier(classes: number): Convolution {
  return { name: 'classifier.1', inputs: 512, outputs: classes, kernel: 1 };
}

/** All convolutions in the state dict's order. */
export function convolutions(classes: number, layout = squeezeNet11): Convolution[] {
  const fires = layout.blocks.filter((block) => block !== 'pool');
  const inner = fires.flatMap(({ squeeze, expand1x1, expand3x3 }) => [squeeze, expand1x1, expand3x3]);
  return [layout.stem, ...inner, classifier(classes)];
}

export function weightDims({ inputs, outputs, kernel }: Convolution): number[] {
  return [outputs, inputs, kernel, kernel];
}

/** torchvision's. */
export const usualInputSize = 224;

/**
 * Whether images of this width and height, in pixels, leave nothing over at any pooling: a runtime that rounds up there then
 * computes the same as one that rounds down. The first convolution and three poolings need a multiple of 16.
 */
export function isInputSize(side: number): boolean {
  return Number.isInteger(side) && side % 16 === 0 && side >= 32 && side <= 512;
}

function fire(index: number, inputs: number, squeezed: number, expanded: number): Fire {
  const name = `features.${index}`;
  return {
    squeeze: { name: `${name}.squeeze`, inputs, outputs: squeezed, kernel: 1 },
    expand1x1: { name: `${name}.expand1x1`, inputs: squeezed, outputs: expanded, kernel: 1 },
    expand3x3: { name: `${name}.expand3x3`, inputs: squeezed, outputs: expanded, kernel: 3 },
  };
}
