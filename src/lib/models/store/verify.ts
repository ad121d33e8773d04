/** Whether a model may become the active one: it loads, answers, and is good enough. */
import type { ModelOutput } from '../../base/classification.ts';
import { VisionscaleError } from '../../base/errors.ts';
import { percent } from '../../base/report/table.ts';
import type { LoadedModel } from '../format/model.ts';
import { decideOutput } from '../format/output-kind.ts';
import { checkGraph, checkInference, type InferenceCheck } from './check.ts';
import { entryLabel, type ModelEntry } from './entry.ts';

export interface VerifyResult extends Omit<InferenceCheck, 'answers'> {
  name: string;
  version: string;
  digest: string;
  /** How its scores are read, and where they look like something else, what. */
  output: ModelOutput;
  warning?: string;
}

/** The graph and a test inference; loading has checked digest and files. Throws a VisionscaleError that says what is wrong. */
export async function verifyModel(model: LoadedModel): Promise<VerifyResult> {
  const graph = checkGraph(model.weights).model;
  const { answers, ...check } = await checkInference(model.weights, model.preprocessing.crop);
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
  const { output } = model;
  const { warning } = decideOutput(graph, answers, { output, by: 'its manifest' });
  return { name, version, digest, ...check, output, ...(warning !== undefined && { warning }) };
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
      hint: 'Quantize it with other images, or use it anyway with --force.',
    },
  );
}
