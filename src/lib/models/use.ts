/** Makes a model the active one after it has shown that it loads, answers, and is good enough. */
import { loadModel } from '../classifier/model.ts';
import { VisionscaleError } from '../errors.ts';
import { checkGraph, checkInference, type InferenceCheck } from './check.ts';
import { entryLabel, type ModelEntry } from './entry.ts';
import type { ModelStore } from './store.ts';
import { percent } from '../report/percent.ts';

export interface VerifyResult extends InferenceCheck {
  name: string;
  version: string;
  digest: string;
}

/** The digest, the files, the graph and a test inference. Throws a VisionscaleError that says what is wrong. */
export async function verifyModel(path: string): Promise<VerifyResult> {
  const model = await loadModel(path);
  checkGraph(model.weights);
  const check = await checkInference(model.weights, model.preprocessing.crop);
  const { name, version, digest, labels } = model.info;
  if (check.classes !== labels.length) {
    throw new VisionscaleError(
      `the model has ${check.classes} classes, but there are ${labels.length} labels`,
      {
        code: 'labels_mismatch',
        hint: 'labels.txt must have one line for each output of the model, in the same order.',
      },
    );
  }
  return { name, version, digest, ...check };
}

/** `force` takes a model that agrees too little with its parent; never one that does not work. */
export async function useModel(store: ModelStore, entry: ModelEntry, force: boolean): Promise<VerifyResult> {
  const verified = await verifyModel(entry.path);
  if (!force) requireAgreement(entry);
  await store.use(entry);
  return verified;
}

/** Throws `model_below_agreement`. */
export function requireAgreement(entry: Pick<ModelEntry, 'name' | 'version' | 'manifest'>): void {
  const { agreement, minAgreement } = entry.manifest?.metrics ?? {};
  if (agreement === undefined || minAgreement === undefined || agreement >= minAgreement) return;
  throw new VisionscaleError(
    `${entryLabel(entry)} gives the same answer as its parent for ${percent(agreement)} of the images, ` +
      `less than ${percent(minAgreement)}`,
    {
      code: 'model_below_agreement',
      hint: 'Quantize it with other images, or use it all the same with --force.',
    },
  );
}
