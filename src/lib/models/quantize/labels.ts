/** The true category of a file from the folder it lies in. */
import { UsageError } from '../../base/errors.ts';
import type { FoundFile } from '../../base/files/walk.ts';

/** Throws a UsageError when a file lies in no folder that is named as a label. */
export function labelIndex(
  files: readonly FoundFile[],
  labels: readonly string[],
): (file: FoundFile) => number {
  const indexes = new Map(labels.map((label, index) => [label.normalize(), index]));
  const folderOf = ({ relative }: FoundFile) => relative.split('/').slice(0, -1)[0]?.normalize() ?? '';
  const foreign = new Set(files.map(folderOf).filter((folder) => !indexes.has(folder)));
  if (foreign.size > 0) {
    const [first = ''] = foreign;
    const others = foreign.size > 1 ? ` and ${foreign.size - 1} more` : '';
    throw new UsageError(
      first === ''
        ? 'the labelled images must lie in folders, one for each label'
        : `the folder ${first}${others} is not named as a label of the model`,
      `The model’s labels are ${labels.slice(0, 3).join(', ')}, …`,
    );
  }
  return (file) => indexes.get(folderOf(file))!;
}
