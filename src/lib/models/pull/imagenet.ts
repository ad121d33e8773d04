/** SqueezeNet 1.1 trained on ImageNet, as torchvision publishes it: where it is, what it must be, and its labels. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../base/package.ts';

export const imagenet = {
  /** What the model is called in the store. */
  name: 'squeezenet1_1',
  url: 'https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth',
  sha256: 'b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b',
} as const;

/** The 1000 categories in the order of the outputs; the weights file has none. */
export async function imagenetLabels(): Promise<string[]> {
  const file = join(packageRoot, 'src/lib/models/pull/imagenet-labels.txt');
  return (await readFile(file, 'utf8')).trimEnd().split('\n');
}
