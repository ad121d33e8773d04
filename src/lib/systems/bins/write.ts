/** Rules as a file that says the same. */
import { Document, Scalar } from 'yaml';
import { printableJson } from '../../base/printable.ts';
import type { BinRules } from './rules.ts';

/** YAML; put in force again it is the same version. */
export function writeRules({ manual, bins }: BinRules): string {
  const document = new Document({
    manual: quoted(manual),
    bins: new Map(
      bins.map(({ bin, classes, confidence, margin }) => [
        quoted(bin),
        {
          classes: classes.map(quoted),
          ...(confidence > 0 && { confidence }),
          ...(margin > 0 && { margin }),
        },
      ]),
    ),
  });
  return printableJson(document.toString({ lineWidth: 0 }));
}

/** Names may look like numbers, and globs like aliases. */
function quoted(text: string): Scalar<string> {
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}
