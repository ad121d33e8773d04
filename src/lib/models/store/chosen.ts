/** The model that a person names, else the active one; and what is said where there is none. */
import { VisionscaleError } from '../../base/errors.ts';
import { entryLabel, type ModelEntry } from './entry.ts';
import type { ModelStore } from './store.ts';

/**
 * `no_model`, with what to do about it given what the store holds. A bundled model is never taken by itself: it would
 * give somebody's photographs the names of the few things it knows.
 */
export function noModel(entries: readonly ModelEntry[]): VisionscaleError {
  const whole = entries.filter(({ fault }) => fault === undefined);
  const own = whole.find(({ bundled }) => !bundled);
  const bundled = whole.find((entry) => entry.bundled);
  const get = 'et the ImageNet model (5 MB): visionscale model pull squeezenet1_1';
  const choose =
    own === undefined
      ? [`G${get}`]
      : [
          `Choose one of the store: visionscale model use ${entryLabel(own)} (all: visionscale model list).`,
          `Or g${get}`,
        ];
  const comes =
    bundled?.manifest?.knows === undefined
      ? []
      : [
          `${bundled.name}, the bundled model, only recognises ${bundled.manifest.knows}: --model ${bundled.name}`,
        ];
  return new VisionscaleError('no model is chosen', {
    code: 'no_model',
    hint: [
      ...choose,
      'Or give --model <file.onnx> (VISIONSCALE_MODEL): an ONNX image classifier with its labels.txt beside it, one label a line.',
      ...comes,
    ].join('\n'),
  });
}

/** Throws `no_model`, `model_not_found`, `model_ambiguous`. */
export async function chosenEntry(store: ModelStore, reference: string | undefined): Promise<ModelEntry> {
  if (reference !== undefined) return store.find(reference);
  const active = await store.active();
  if (active === undefined) throw noModel(await store.list());
  return active;
}
