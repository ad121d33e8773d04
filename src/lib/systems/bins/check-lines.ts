/** What is told of rules that were held to a model's labels. */
import { printable } from '../../base/printable.ts';
import { counted } from '../../base/report/table.ts';
import type { Checked, PatternFault } from './check.ts';
import type { BinRules } from './rules.ts';

/** Labels named in a line at most. */
const mostNamed = 8;

/** One line each: what names nothing. */
export function faultLines({ unknown, empty }: Checked): string[] {
  return [
    ...unknown.map((fault) => `${fault.bin}: the model has no label ${quoted(fault.pattern)}${meant(fault)}`),
    ...empty.map((fault) => `${fault.bin}: no label matches ${quoted(fault.pattern)}${meant(fault)}`),
  ];
}

/** One line each: what is allowed, and may not be meant. */
export function noteLines({ shadowed, unmapped }: Checked, manual: string): string[] {
  return [
    ...shadowed.map(
      ({ bin, pattern }) => `${bin}: ${quoted(pattern)} is never used: other rules match all its labels`,
    ),
    ...(unmapped.length === 0
      ? []
      : [`${manual}: ${counted(unmapped.length, 'label')} that no bin has: ${some(unmapped)}`]),
  ];
}

/** Where the rules have a bin for unknown objects, and the model tells none. */
export function unknownNote(
  { manual, unknown }: BinRules,
  { tellsUnknown }: { tellsUnknown: boolean },
): string[] {
  if (unknown === manual || tellsUnknown) return [];
  return [`${printable(unknown)}: gets no unknown objects: the active model does not tell them`];
}

function meant({ near }: PatternFault): string {
  return near.length === 0 ? '' : ` (did you mean ${near.map(quoted).join(' or ')}?)`;
}

/** The first of them, in quotes: labels of ImageNet have commas of their own. */
export function some(labels: readonly string[]): string {
  const named = labels.slice(0, mostNamed).map(quoted).join(', ');
  return labels.length > mostNamed ? `${named}, …` : named;
}

function quoted(text: string): string {
  return printable(JSON.stringify(text));
}
