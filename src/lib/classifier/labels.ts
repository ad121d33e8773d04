/** `labels.txt`: a label a line, in the order of the model's outputs. */
import { basename, dirname } from 'node:path';
import { VisionscaleError } from '../errors.ts';
import { readModelText } from './model-files.ts';

const maxBytes = 16 * 2 ** 20;

/** Without line ends and empty lines at the end. Throws `labels_missing`, `model_invalid`. */
export async function readLabels(file: string): Promise<string[]> {
  const text = await readModelText(file, maxBytes);
  if (text === undefined) {
    throw new VisionscaleError(`there is no ${basename(file)} in ${dirname(file)}`, {
      code: 'labels_missing',
      hint: 'It must be a text file beside the weights: one label a line, in the order of the model’s outputs.',
    });
  }
  const lines = text.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}
