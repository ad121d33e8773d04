/** Rules as the text of a YAML or JSON file: read, with every fault in one error, and written. */
import { Document, isMap, isScalar, LineCounter, parseDocument, Scalar, visit } from 'yaml';
import { z } from 'zod';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { readTextFile } from '../../base/files/text-file.ts';
import { meant } from '../../base/nearest.ts';
import { printableJson } from '../../base/printable.ts';
import { globSize, isGlob, mostGlobSize } from './glob.ts';
import { type BinRule, type BinRules, manualBin } from './rules.ts';

const mostBins = 10_000;
const mostClasses = 100_000;
const mostText = 500;

const text = z
  .string({ error: 'must be a text' })
  .normalize()
  .trim()
  .min(1, 'must not be empty')
  .max(mostText, `must not have more than ${mostText} characters`)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters');

/** In percent. */
const percent = z
  .string({ error: 'must be a number of percent, 0 to 100' })
  .regex(/^\d{1,3}(\.\d{1,6})?$/, 'must be a number of percent, 0 to 100')
  .transform(Number)
  .refine((value) => value <= 100, 'must be a number of percent, 0 to 100')
  .refine((value) => value === 0 || value >= 1, 'is less than 1 percent; 60 is 60 percent, 0.6 is not');

const classes = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z
    .array(text, { error: 'must be a list of classes' })
    .min(1, 'must not be empty')
    .max(mostClasses, `must not have more than ${mostClasses} classes`),
);

const thresholds = { confidence: percent.optional(), margin: percent.optional() };
const fileShape = z.strictObject({
  manual: text.default(manualBin),
  unknown: text.optional(),
  defaults: z.strictObject(thresholds, { error: 'must have confidence, margin or both' }).default({}),
  bins: z.instanceof(Map, { error: 'must be a mapping of bins to their classes' }),
});
const binShape = z.strictObject(
  { classes, ...thresholds },
  { error: 'must be a list of classes, or have classes' },
);

/** Throws VisionscaleError `bins_invalid`, naming every fault. */
export function parseRules(content: string): BinRules {
  const faults: string[] = [];
  const rules = read(parsedYaml(content), faults);
  if (rules !== null) faults.push(...contradictions(rules));
  if (rules !== null && faults.length === 0) return rules;
  throw invalidRules(faults);
}

export function invalidRules(faults: readonly string[]): VisionscaleError {
  const message =
    faults.length === 1
      ? `the bins are wrong: ${faults[0]}`
      : `the bins have ${faults.length} faults:\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
  return new VisionscaleError(message, {
    code: 'bins_invalid',
    hint: 'For an example: visionscale bins --help',
  });
}

/** Every scalar stays the text it is (a class may be called `no` or `007`), and every mapping keeps its order. */
function parsedYaml(content: string): unknown {
  const lineCounter = new LineCounter();
  // The library compares each key with all before it: minutes for as many as a file can hold.
  const options = { schema: 'failsafe', prettyErrors: true, uniqueKeys: false, lineCounter } as const;
  const document = parseDocument(content, options);
  const [fault] = document.errors;
  try {
    if (fault === undefined) {
      const repeated = repeatedKeys(document, lineCounter);
      if (repeated.length > 0) throw invalidRules(repeated);
      if (isMap(document.contents)) return document.toJS({ mapAsMap: true });
      throw invalidRules(['the file has no mapping with bins']);
    }
  } catch (error) {
    if (error instanceof VisionscaleError) throw error;
    throw invalidRules([`${errorMessage(error)}; is it a glob that begins with *? Put it in quotes`]);
  }
  if (fault.code === 'MULTIPLE_DOCS')
    throw invalidRules(['the file has several documents (---); rules are one']);
  const quoted = /alias/i.test(fault.message) ? ' (a glob that begins with * has to be in quotes)' : '';
  throw invalidRules([`${fault.message.trimEnd()}${quoted}`]);
}

function repeatedKeys(document: Document.Parsed, lines: LineCounter): string[] {
  const faults: string[] = [];
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (keys.has(key.value)) {
          faults.push(
            `line ${lines.linePos(key.range?.[0] ?? 0).line}: ${JSON.stringify(key.value)} is there twice in one mapping`,
          );
          if (faults.length === mostRepeated) return visit.BREAK;
        }
        keys.add(key.value);
      }
      return undefined;
    },
  });
  return faults;
}

const mostRepeated = 20;

function read(content: unknown, faults: string[]): BinRules | null {
  const file = check(fileShape, plain(content, 2, 'bins'), '', faults);
  if (file === null) return null;
  const { manual, unknown = manual, defaults } = file;
  if (file.bins.size > mostBins) {
    faults.push(`there are ${file.bins.size} bins; ${mostBins} are the most`);
    return null;
  }
  const bins: BinRule[] = [];
  for (const [name, value] of file.bins) {
    const bin = check(text, name, `bin ${JSON.stringify(name)}`, faults);
    const listed = value instanceof Map ? plain(value, 1) : { classes: value };
    const rule = check(binShape, listed, `bins.${String(name)}`, faults);
    if (bin === null || rule === null) continue;
    const { confidence = defaults.confidence ?? 0, margin = defaults.margin ?? 0 } = rule;
    bins.push({ bin, classes: rule.classes, confidence, margin });
  }
  if (file.bins.size === 0) faults.push('bins must not be empty');
  return { manual, unknown, bins };
}

/** Mappings as objects, to as many levels (an alias may lie in what it stands for), but for the values of `keep`. */
function plain(value: unknown, levels: number, keep?: string): unknown {
  if (!(value instanceof Map) || levels === 0) return value;
  const entries = [...value].map(([key, inner]): [string, unknown] => [
    String(key),
    key === keep ? inner : plain(inner, levels - 1),
  ]);
  return Object.fromEntries(entries);
}

function check<T>(shape: z.ZodType<T>, value: unknown, where: string, faults: string[]): T | null {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const place = [
      where,
      ...issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)),
    ]
      .join('')
      .replace(/^\./, '');
    faults.push(
      issue.code === 'unrecognized_keys' ? unknownKeys(place, issue.keys) : `${place} ${issue.message}`,
    );
  }
  return null;
}

function unknownKeys(place: string, keys: readonly string[]): string {
  const known =
    place === '' ? ['manual', 'unknown', 'defaults', 'bins'] : ['classes', 'confidence', 'margin'];
  const named = keys.map((key) => {
    const near = meant(key, known);
    return `${JSON.stringify(key)}${near === undefined ? '' : ` (did you mean ${near}?)`}`;
  });
  return `${place === '' ? 'the file' : place} must not have ${named.join(', ')}; there are ${known.join(', ')}`;
}

/** What can be read, and cannot be meant. */
function contradictions(rules: BinRules): string[] {
  const faults: string[] = [];
  const taken = new Map<string, string>();
  const bins = new Set<string>();
  let size = 0;
  for (const { bin, classes } of rules.bins) {
    if (bins.has(bin)) faults.push(`bin ${JSON.stringify(bin)} is there twice`);
    bins.add(bin);
    for (const pattern of classes) {
      const other = taken.get(pattern);
      if (other !== undefined) {
        faults.push(
          `${JSON.stringify(pattern)} is in ${other === bin ? `${bin} twice` : `${other} and in ${bin}`}: one of them is never used`,
        );
      }
      taken.set(pattern, bin);
      if (isGlob(pattern) && size <= mostGlobSize) {
        try {
          size += globSize(pattern);
        } catch (error) {
          faults.push(`${JSON.stringify(pattern)} in ${bin} is not a valid glob: ${errorMessage(error)}`);
        }
      }
    }
  }
  if (size > mostGlobSize) {
    faults.push(`the globs come to more than ${mostGlobSize} characters with their choices written out`);
  }
  return faults;
}

const mostBytes = 4 * 1024 ** 2;

/** Throws VisionscaleError: `bins_unavailable` where the file cannot be read, `bins_invalid`. */
export function readRules(path: string): BinRules {
  return parseRules(content(path));
}

function content(path: string): string {
  try {
    return readTextFile(path, { mostBytes });
  } catch (error) {
    throw new VisionscaleError(`cannot read the bins from ${path}: it ${errorMessage(error)}`, {
      code: 'bins_unavailable',
      hint: 'Give a YAML or JSON file of at most 4 MiB in UTF-8. For an example: visionscale bins --help',
      cause: error,
    });
  }
}

/** YAML; put in force again it is the same version. */
export function writeRules({ manual, unknown, bins }: BinRules): string {
  const document = new Document({
    manual: quoted(manual),
    ...(unknown !== manual && { unknown: quoted(unknown) }),
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
