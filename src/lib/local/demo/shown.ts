/** The demo's outcome for people: lines for the terminal, and a page with every drawn picture and what was made of it. */
import { writeFile } from 'node:fs/promises';
import { printable } from '../../base/printable.ts';
import { table } from '../../base/report/table.ts';
import { colours } from '../drawings/colours.ts';
import { shapeNames } from '../drawings/shapes.ts';
import type { DemoResult } from './demo.ts';
import type { Accuracy, Judged } from './parts.ts';

const shownCategories = 12;
const shownRejected = 5;

export interface ReportPlaces {
  database: string;
  topic: string;
  store: string;
  /** What the model is limited to, where its manifest says so. */
  knows?: string | undefined;
  /** Of drawn parts: what they show, and the page that shows them. */
  parts?: { truth: ReadonlyMap<string, string>; page: string };
  /** Flags that other commands need to see the same data, e.g. `--data-dir '/x y'`; empty where none. */
  flags: string;
}

export function demoReport(result: DemoResult, places: ReportPlaces): string {
  const { latencyMs } = result;
  const ms = (value: number | null) => (value === null ? '–' : `${value.toFixed(0)} ms`);
  const lines = [
    '',
    `${result.predictions} predictions and ${result.deadLetters} dead letters for ${result.images} images`,
    `by ${result.model}, engine ${result.engine}${result.engine === 'wasm' ? ' (WebAssembly: onnxruntime-node, several times faster, is not installed here; see visionscale doctor)' : ''}`,
    `${result.imagesPerSecond.toFixed(1)} images/s over ${result.seconds.toFixed(1)} s; from topic to row p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}`,
  ];
  if (result.firstPredictionSeconds !== null) {
    lines.push(`first prediction ${result.firstPredictionSeconds.toFixed(1)} s after the start`);
  }
  if (places.knows !== undefined) lines.push(`${result.model} knows ${places.knows}`);
  if (places.parts !== undefined && result.mistakes !== undefined) {
    const { accuracy = 0, right = 0, mistakes } = result;
    lines.push(...partsReport({ accuracy, right, mistakes, truth: places.parts.truth }));
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
  const again = (command: string) =>
    `  npx visionscale ${command}${places.flags === '' ? '' : ` ${places.flags}`}`;
  return [
    ...lines,
    '',
    'The data stays where it is:',
    `  rows    ${places.database} (tables prediction_results, dead_letters, image_info)`,
    `  topic   ${places.topic}`,
    `  images  ${places.store}`,
    ...(places.parts === undefined
      ? []
      : ['', 'Every picture with its prediction:', `  ${places.parts.page}`]),
    '',
    'What to try next:',
    again('results --limit 10'),
    again('status'),
    again('doctor'),
    ...(places.parts === undefined ? [] : [again('demo <a directory of your photographs>')]),
  ].join('\n');
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
    `${right} of ${truth.size} parts named right, colour and shape: ${(100 * accuracy).toFixed(1)} %`,
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
  if (mistakes.length > 0) lines.push('', 'taken for something else:');
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

// A page with every picture of the demo and what was made of it, mistakes first; it lies beside their directory.

interface Gallery {
  title: string;
  /** A line below the title. */
  summary: string;
  judged: readonly Judged[];
}

/** Image keys are paths relative to the page. */
export async function writeGallery(file: string, gallery: Gallery): Promise<void> {
  await writeFile(file, page(gallery));
}

function page({ title, summary, judged }: Gallery): string {
  const wrong = judged.filter(({ category, truth }) => category !== truth);
  const right = judged.filter(({ category, truth }) => category === truth);
  const leastSureFirst = right.toSorted((a, b) => a.confidence - b.confidence);
  const section = (heading: string, shown: readonly Judged[]) =>
    shown.length === 0
      ? ''
      : `<h2>${escaped(heading)}</h2>\n<div class="grid">\n${shown.map(figure).join('\n')}\n</div>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1d242c; background: #f5f6f7; }
  h1 { margin-bottom: 0 } p { color: #55606b; margin-top: .3rem }
  .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 12px }
  figure { margin: 0; background: #fff; border-radius: 8px; overflow: hidden; box-shadow: 0 1px 3px #0003 }
  figure.wrong { outline: 3px solid #d33 }
  img { width: 100%; aspect-ratio: 1; display: block } figcaption { padding: 6px 8px; font-size: 13px }
  small { color: #6a7580; float: right } del { color: #b22; display: block }
</style>
<h1>${escaped(title)}</h1>
<p>${escaped(summary)}</p>
${section('Taken for something else', wrong)}
${section('Right, the least sure first', leastSureFirst)}
</html>
`;
}

function figure({ imageKey, category, truth, confidence }: Judged): string {
  const isRight = category === truth;
  const source = imageKey.split('/').map(encodeURIComponent).join('/');
  const said = `<small>${confidence.toFixed(0)} %</small>`;
  const caption = isRight
    ? `${said}${escaped(category)}`
    : `${said}<del>${escaped(category)}</del>${escaped(truth)}`;
  return `<figure${isRight ? '' : ' class="wrong"'}><img loading="lazy" src="${source}" alt="${escaped(truth)}"><figcaption>${caption}</figcaption></figure>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
