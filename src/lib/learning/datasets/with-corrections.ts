/** A training set of folders together with corrected images of the pipeline: what a person said last counts. */
import { inByteOrder } from '../../base/files/class-folders.ts';
import { invalid, list, type Dataset } from './dataset.ts';

/**
 * An image that is in both has the corrected label. Where there are no folders, `classes` chooses among the corrected
 * labels. Throws a VisionscaleError `dataset_invalid` naming chosen classes without images.
 */
export function withCorrections(
  folders: Dataset | undefined,
  corrected: Dataset,
  classes?: readonly string[],
): Dataset {
  const labels =
    folders?.labels ?? classes?.map((label) => label.normalize()) ?? inByteOrder(corrected.labels);
  const index = new Map(labels.map((label, i) => [label, i]));
  const examples = corrected.examples.flatMap((example) => {
    const label = index.get(corrected.labels[example.label]!);
    return label === undefined ? [] : [{ ...example, label }];
  });
  const known = new Set(examples.map(({ sha256 }) => sha256));
  const others = (folders?.examples ?? []).filter(({ sha256 }) => !known.has(sha256));
  const all = [...others, ...examples];
  const found = new Set(all.map(({ label }) => label));
  const empty = labels.filter((_, label) => !found.has(label));
  if (empty.length > 0) {
    throw invalid(
      `there is no corrected image of the class${empty.length > 1 ? 'es' : ''} ${list(empty)}`,
      `The corrected labels are: ${list(corrected.labels)}. Name a directory of images too, or leave the class out.`,
    );
  }
  if (labels.length < 2) {
    throw invalid(
      `the corrections name one class only, ${list(labels)}; a classifier needs two at the least`,
      'Name a directory of labelled images too: visionscale train <dir> --from-corrections',
    );
  }
  const strange = corrected.labels.filter((label) => !index.has(label));
  return {
    labels,
    examples: all,
    unreadable: [...(folders?.unreadable ?? []), ...corrected.unreadable],
    leftOut: [...new Set([...(folders?.leftOut ?? []), ...strange])],
  };
}
