/** The demo's outcome for people: lines for the terminal. */
import { printable } from '../../base/printable.ts';
import { fitted, table } from '../../base/report/table.ts';
import { colours } from '../drawings/colours.ts';
import { shapeNames } from '../drawings/shapes.ts';
import type { DemoResult } from './demo.ts';
import type { Accuracy } from './parts.ts';

const shownCategories = 12;
const shownRejected = 5;

export interface ReportPlaces {
  database: string;
  topic: string;
  store: string;
  /** What the model is limited to, where its manifest says so. */
  knows?: string | undefined;
  /** What drawn parts show, by key. */
  truth?: ReadonlyMap<string, string> | undefined;
  /** The page that shows every picture. */
  page: string;
  /** Flags that other commands need to see the same data, e.g. `--data-dir '/x y'`; empty where none. */
  flags: string;
  /** Flags with which `up` goes on with the same data and model. */
  upFlags: string;
  /** Where `up` listens if that port is free; undefined where it takes any. */
  server: string | undefined;
}

export function demoReport(result: DemoResult, places: ReportPlaces): string {
  const lines = [
    '',
    `${result.predictions} predictions and ${result.deadLetters} dead letters for ${result.images} images`,
    `by ${result.model}, engine ${result.engine}${result.engine === 'wasm' ? ' (WebAssembly: onnxruntime-node, several times faster, is not installed here; see visionscale doctor)' : ''}`,
    `${result.imagesPerSecond.toFixed(1)} images/s over ${result.seconds.toFixed(1)} s`,
    ...timeLines(result),
  ];
  if (result.firstPredictionSeconds !== null) {
    lines.push(`first prediction ${result.firstPredictionSeconds.toFixed(1)} s after the start`);
  }
  if (places.knows !== undefined)
    lines.push(fitted(`${result.model} only recognises ${places.knows}`, process.stdout));
  const { truth } = places;
  if (truth !== undefined && result.mistakes !== undefined) {
    const { accuracy = 0, right = 0, mistakes } = result;
    lines.push(...partsReport({ accuracy, right, mistakes, truth }));
  } else if (result.categories.length > 0) {
    lines.push(
      '',
      table(result.categories.slice(0, shownCategories), [
        { title: 'category', value: (c) => c.category },
        { title: 'images', value: (c) => c.images, align: 'right' },
        { title: 'mean %', value: (c) => c.confidence.toFixed(1), align: 'right' },
      ]),
    );
    const more = result.categories.length - shownCategories;
    if (more > 0) lines.push(`… and ${more} more categories`);
  }
  if (result.rejected.length > 0) {
    lines.push('', `not uploaded: ${result.rejected.length} files`);
    for (const { path, reason } of result.rejected.slice(0, shownRejected)) {
      lines.push(`  ${printable(path)}: ${printable(reason)}`);
    }
    if (result.rejected.length > shownRejected)
      lines.push(`  … and ${result.rejected.length - shownRejected} more`);
  }
  const again = (command: string, flags = places.flags) =>
    `  npx visionscale ${command}${flags === '' ? '' : ` ${flags}`}`;
  return [
    ...lines,
    '',
    'The data stays where it is:',
    `  rows    ${places.database}`,
    '          tables prediction_results, dead_letters, image_info',
    `  topic   ${places.topic}`,
    `  images  ${places.store}`,
    '',
    'What to try next:',
    again('results --limit 10'),
    again('status'),
    again('doctor'),
    ...(truth === undefined ? [] : [again('demo <a directory of your photographs>')]),
    '',
    'Open this page to see the pictures with their predictions:',
    `  ${places.page}`,
    '',
    'To see them on the live page, and send more images:',
    again('up', places.upFlags),
    `and open the address that it names${places.server === undefined ? '' : `: ${places.server} if that port is free`}`,
  ].join('\n');
}

/** All images are sent at once, so most of the time from topic to row is waiting: that says nothing of how fast one is. */
export function timeLines({ classifyMs, latencyMs: { p50, p99 } }: DemoResult): string[] {
  const ms = (value: number | null) => (value === null ? '–' : `${value.toFixed(0)} ms`);
  return [
    `${ms(classifyMs)} to classify an image`,
    `waiting in the queue, because all images came at once: p50 ${ms(waited(p50, classifyMs))}, p99 ${ms(waited(p99, classifyMs))}`,
  ];
}

function waited(latencyMs: number | null, classifyMs: number | null): number | null {
  return latencyMs === null ? null : Math.max(0, latencyMs - (classifyMs ?? 0));
}

const shownMistakes = 8;

/** The part of the demo's report that only drawn parts have: how many were named right, and a table of them. */
interface PartsReport extends Accuracy {
  /** What the pictures show, by key. */
  truth: ReadonlyMap<string, string>;
}

/** Lines for people. In the table a number stands for pictures that were all named right, `3/4` for 3 of 4. */
export function partsReport({ accuracy, right, mistakes, truth }: PartsReport): string[] {
  const total = countBy([...truth.values()]);
  const wrong = countBy(mistakes.map((mistake) => mistake.truth));
  const cell = (label: string) => {
    const [all, missed] = [total.get(label) ?? 0, wrong.get(label) ?? 0];
    return missed === 0 ? `${all}` : `${all - missed}/${all}`;
  };
  const lines = [
    '',
    `${right} of ${truth.size} parts classified correctly (colour and shape): ${(100 * accuracy).toFixed(1)} %`,
    '',
    table(shapeNames, [
      { title: 'part', value: (shape) => shape },
      ...colours.map((colour) => ({
        title: colour,
        value: (shape: string) => cell(`${colour} ${shape}`),
        align: 'right' as const,
      })),
    ]),
  ];
  if (mistakes.length > 0) lines.push('', 'mistakes:');
  for (const { truth: shown, category, confidence, imageKey } of mistakes.slice(0, shownMistakes)) {
    lines.push(`  ${shown} → ${printable(category)} (${confidence.toFixed(0)} %)  ${printable(imageKey)}`);
  }
  if (mistakes.length > shownMistakes) lines.push(`  … and ${mistakes.length - shownMistakes} more`);
  return lines;
}

function countBy(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
