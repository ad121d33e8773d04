/** What is said where no model is chosen. */
import { VisionscaleError } from '../errors.ts';
import { entryLabel, type ModelEntry } from './entry.ts';

/** `no_model`, with what to do about it given what the store holds. */
export function noModel(entries: readonly ModelEntry[]): VisionscaleError {
  const first = entries.find(({ fault }) => fault === undefined);
  const choose =
    first === undefined
      ? 'Get the ImageNet model (5 MB): visionscale model pull imagenet'
      : `Choose one of the store: visionscale model use ${entryLabel(first)} (all: visionscale model list).\n` +
        'Or get the ImageNet model (5 MB): visionscale model pull imagenet';
  return new VisionscaleError('no model is chosen', {
    code: 'no_model',
    hint:
      `${choose}\nOr give --model <file.onnx> (VISIONSCALE_MODEL): an ONNX image classifier with its labels.txt beside it,\n` +
      'one label a line.',
  });
}
