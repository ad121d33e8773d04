/** report.html: one file with everything in it, safe to open whatever the images are called. */
import { percent } from '../../../base/report/percent.ts';
import { confusedPairs } from '../metrics.ts';
import type { ReportInput } from '../report.ts';
import { classTable } from './class-table.ts';
import { comparisonSection } from './comparison.ts';
import { countWarnings } from './counts.ts';
import { learningCurves } from './curves.ts';
import { duplicateSection, mistakeGallery } from './gallery.ts';
import { heatMap, mostClasses } from './heat-map.ts';
import { Html, html } from './html.ts';
import { style } from './style.ts';
import { summaryTiles, verdictCard } from './summary.ts';
import { Thumbnails } from './thumbnails.ts';
import { images } from './words.ts';

const styleElement = new Html(`<style>${style}</style>`);
const mostPairs = 15;
const mostUnreadable = 50;

export async function reportPage(input: ReportInput & { created: string }): Promise<string> {
  const thumbnails = new Thumbnails();
  const [first, second] = input.judgements;
  const { name, version } = input.model;
  const title = second === undefined ? `${name} ${version}` : `${name} beside ${second.model.name}`;
  const body = html`<h1>How good is ${title}?</h1>
    <p class="soft">
      ${input.created.slice(0, 16).replace('T', ' ')} UTC, judged on ${images(first.metrics.count)} of
      ${first.metrics.perClass.filter((c) => c.count > 0).length} classes
    </p>
    ${verdictCard(input)} ${summaryTiles(input)}
    ${countWarnings(input).map((warning) => html`<p class="warn">${warning}</p>`)}
    ${second && (await comparisonSection(first, second, thumbnails))}
    <h2>Classes</h2>
    <p class="soft">
      The weakest first, those that nobody judged last. <i>Recognised</i>: of the images of this class, how
      many are answered right (recall). <i>Trusted</i>: of the answers with this class, how many are right
      (precision).
    </p>
    ${classTable(input)} ${confusion(input)} ${await mistakeGallery(first, thumbnails)}
    ${await duplicateSection(input, thumbnails)} ${input.history && history(input.history)}
    ${unreadable(input)} ${origin(input)}`;
  // Nothing is loaded and nothing runs, whatever should slip into the page.
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}: evaluation</title>
        ${styleElement}
      </head>
      <body>
        ${body}
      </body>
    </html> `;
  return page.text;
}

function confusion({ judgements }: ReportInput): Html {
  const [judgement] = judgements;
  const { svg, left } = heatMap(judgement);
  const pairs = confusedPairs(judgement.labels, judgement.metrics).slice(0, mostPairs);
  return html`<h2>What is taken for what</h2>
    <p class="soft">
      A row a true class, a column an answer; the diagonal is right. Darker: a larger share of the
      row.${
        left > 0 && ` The ${mostClasses} classes with the most mistakes; ${left} more are in metrics.json.`
      }
    </p>
    <div class="wide">${svg}</div>
    ${
      pairs.length > 0 &&
      html`<h3>Most confused</h3>
        <table>
          <thead>
            <tr>
              <th>true class</th>
              <th>taken for</th>
              <th class="n">images</th>
              <th class="n">of its class</th>
            </tr>
          </thead>
          <tbody>
            ${pairs.map(
              (pair) =>
                html`<tr>
                  <td>${pair.truth}</td>
                  <td>${pair.answer}</td>
                  <td class="n">${pair.images}</td>
                  <td class="n">${percent(pair.share)}</td>
                </tr>`,
            )}
          </tbody>
        </table>`
    }`;
}

function history(points: NonNullable<ReportInput['history']>): Html | undefined {
  const curves = learningCurves(points);
  return (
    curves &&
    html`<h2>Training</h2>
      ${curves}`
  );
}

function unreadable({ unreadable: given, judgements }: ReportInput): Html | undefined {
  const files = given ?? judgements[0].unreadable;
  if (files.length === 0) return undefined;
  const more = files.length - mostUnreadable;
  return html`<h2>Not readable</h2>
    <p class="soft">${files.length === 1 ? '1 file was' : `${files.length} files were`} left out.</p>
    <ul>
      ${files
        .slice(0, mostUnreadable)
        .map(({ path, reason }) => html`<li><code>${path}</code>: ${reason}</li>`)}
    </ul>
    ${more > 0 && html`<p>and ${more} more</p>`}`;
}

/** What it takes to do the same again. */
function origin({ model, parent, dataDigest, seed, judgements }: ReportInput): Html {
  const rows: [string, string | undefined][] = [
    ['Model', `${model.name} ${model.version}, ${model.digest}`],
    ['Trained from', parent && `${parent.name} ${parent.version}, ${parent.digest}`],
    [
      'Beside',
      judgements[1] &&
        `${judgements[1].model.name} ${judgements[1].model.version}, ${judgements[1].model.digest}`,
    ],
    ['Data', dataDigest],
    ['Seed', seed === undefined ? undefined : String(seed)],
  ];
  return html`<h2>Where this comes from</h2>
    <dl>
      ${rows.map(
        ([term, text]) =>
          text !== undefined &&
          html`<dt>${term}</dt>
            <dd><code>${text}</code></dd>`,
      )}
    </dl>`;
}
