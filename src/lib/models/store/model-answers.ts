/** What the models that a pipeline runs can answer, without loading them: what bins are held to. */
import type { Manifest } from '../format/manifest.ts';
import type { ModelInUse } from './pipeline-model.ts';

export interface ModelAnswers {
  labels: readonly string[];
  /** Whether one of them tells what is like none of its labels. */
  tellsUnknown: boolean;
}

export function answersOf(labels: readonly string[], manifest: Manifest | undefined): ModelAnswers {
  return { labels, tellsUnknown: manifest?.expected?.unknown !== undefined };
}

/** Of the pipeline's model and its belts', and of `local`, which is run where none was chosen. Null where there is no label. */
export function answersInUse(
  inUse: readonly ModelInUse[],
  local: ModelAnswers | null = null,
): ModelAnswers | null {
  const answers = inUse.map(({ manifest }) => answersOf(manifest.labels ?? [], manifest));
  if (local !== null) answers.push(local);
  const labels = [...new Set(answers.flatMap((one) => one.labels))];
  return labels.length === 0 ? null : { labels, tellsUnknown: answers.some((one) => one.tellsUnknown) };
}
