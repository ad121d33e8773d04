/** A page with every picture of the demo and what was made of it, mistakes first; it lies beside their directory. */
import { writeFile } from 'node:fs/promises';
import type { Judged } from './parts.ts';

export interface Gallery {
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
