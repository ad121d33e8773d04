/** Holds the class folders of a directory against the labels that the models know. */
import { VisionscaleError } from '../../base/errors.ts';
import { folderName } from '../../base/files/folder-name.ts';
import { nearest } from '../../base/nearest.ts';

export interface MatchedFolders {
  /** The label of each folder that has one. */
  labels: Map<string, string>;
  unknown: string[];
}

/** A folder is named as its label, or as `folderName` writes it. */
export function matchFolders(folders: readonly string[], labels: Iterable<string>): MatchedFolders {
  const known = new Map<string, string>();
  for (const label of labels) known.set(folderName(label).normalize(), label).set(label.normalize(), label);
  const matched: MatchedFolders = { labels: new Map(), unknown: [] };
  for (const folder of folders) {
    const label = known.get(folder.normalize());
    if (label === undefined) matched.unknown.push(folder);
    else matched.labels.set(folder, label);
  }
  return matched;
}

const mostNamed = 20;

/** Names every folder that is no class, and the class it may have been meant as. */
export function unknownFolders(unknown: readonly string[], labels: readonly string[]): VisionscaleError {
  const lower = labels.map((label) => label.toLowerCase());
  const lines = unknown.slice(0, mostNamed).map((folder) => {
    const near = nearest(folder.toLowerCase(), lower);
    return near === undefined ? folder : `${folder}: did you mean ${labels[lower.indexOf(near)]}?`;
  });
  if (unknown.length > mostNamed) lines.push(`and ${unknown.length - mostNamed} more`);
  const some = labels.slice(0, 5).join(', ');
  return new VisionscaleError(
    `${unknown.length === 1 ? 'a folder is' : `${unknown.length} folders are`} not named as a label of the model:\n  ${lines.join('\n  ')}`,
    {
      code: 'unknown_classes',
      hint:
        `Its labels are ${some}${labels.length > 5 ? `, … (${labels.length}; visionscale model show lists them)` : ''}.\n` +
        'Rename the folders, or leave them out with --skip-unknown.',
    },
  );
}
