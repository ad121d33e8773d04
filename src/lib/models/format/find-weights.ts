/** Finds the weights in a model directory. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VisionscaleError } from '../../base/errors.ts';
import { invalidModel } from './model-files.ts';

/** `model.onnx`, else the only .onnx file. Throws model_not_found or model_invalid. */
export async function findWeights(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.toLowerCase().endsWith('.onnx')).sort();
  if (names.includes('model.onnx')) return join(directory, 'model.onnx');
  if (names.length > 1) {
    throw invalidModel(`${directory} holds ${names.length} models: ${names.slice(0, 5).join(', ')}`, {
      hint: 'Name one of the files, or call the one to use model.onnx.',
    });
  }
  if (names[0] === undefined) {
    throw new VisionscaleError(`there is no .onnx file in ${directory}`, {
      code: 'model_not_found',
      hint: 'A model directory holds model.onnx and labels.txt.',
    });
  }
  return join(directory, names[0]);
}
