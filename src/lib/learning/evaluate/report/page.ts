/** report.html: one file with everything in it, safe to open whatever the images are called. */
import { Html, html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import { worstMistakes } from '../judge.ts';
import { confusedPairs } from '../metrics.ts';
import { learningCurves, heatMap, mostClasses } from './charts.ts';
import { classTable } from './class-table.ts';
import { countWarnings, images } from './counts.ts';
import { duplicateSection, mistakeGallery, Thumbnails } from './gallery.ts';
import type { ReportInput } from './input.ts';
import { unknownSection } from './unknown.ts';
import { accuracyInterval, verdict } from './verdict.ts';

const mostPairs = 15;
const mostUnreadable = 50;

export async function reportPage(input: ReportInput & { created: string }): Promise<string> {
  const thumbnails = new Thumbnails();
  const { judgement } = input;
  const { name, version } = input.model;
  const title = `${name} ${version}`;
  const body = html`<h1>How good is ${title}?</h1>
    <p class="soft">
      ${input.created.slice(0, 16).replace('T', ' ')} UTC, tested on ${images(judgement.metrics.count)} of
      ${judgement.metrics.perClass.filter((c) => c.count > 0).length} classes
    </p>
    ${verdictCard(input)} ${summaryTiles(input)}
    ${countWarnings(input).map((warning) => html`<p class="warn">${warning}</p>`)}
    <h2>Classes</h2>
    <p class="soft">
      Weakest first, untested last. <i>Recall</i>: the share of this class’s images that are recognised.
      <i>Precision</i>: the share of answers with this class that are correct.
    </p>
    ${classTable(input)} ${confusion(input)} ${await mistakeGallery(judgement, thumbnails)}
    ${unknownSection(input)} ${await duplicateSection(input, thumbnails)}
    ${input.history && history(input.history)} ${unreadable(input)} ${origin(input)}`;
  return documentOf(`${title}: evaluation`, body);
}

/** A page of its own, in the report's style. */
export function documentOf(title: string, body: Html): string {
  // Nothing is loaded and nothing runs, whatever should slip into the page.
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        ${body}
      </body>
    </html> `.text;
}

function confusion({ judgement }: ReportInput): Html {
  const { svg, left } = heatMap(judgement);
  const pairs = confusedPairs(judgement.labels, judgement.metrics).slice(0, mostPairs);
  return html`<h2>Confusion matrix</h2>
    <p class="soft">
      Rows are true classes, columns are answers; the diagonal is correct. Darker: a larger share of the
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
              <th>mistaken for</th>
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

function unreadable({ unreadable: given, judgement }: ReportInput): Html | undefined {
  const files = given ?? judgement.unreadable;
  if (files.length === 0) return undefined;
  const more = files.length - mostUnreadable;
  return html`<h2>Unreadable files</h2>
    <p class="soft">${files.length === 1 ? '1 file was' : `${files.length} files were`} left out.</p>
    <ul>
      ${files
        .slice(0, mostUnreadable)
        .map(({ path, reason }) => html`<li><code>${path}</code>: ${reason}</li>`)}
    </ul>
    ${more > 0 && html`<p>and ${more} more</p>`}`;
}

/** What it takes to do the same again. */
function origin({ model, parent, dataDigest, seed }: ReportInput): Html {
  const rows: [string, string | undefined][] = [
    ['Model', `${model.name} ${model.version}, ${model.digest}`],
    ['Trained from', parent && `${parent.name} ${parent.version}, ${parent.digest}`],
    ['Data', dataDigest],
    ['Seed', seed === undefined ? undefined : String(seed)],
  ];
  return html`<h2>How this was measured</h2>
    <dl>
      ${rows.map(
        ([term, text]) =>
          text !== undefined &&
          html`<dt>${term}</dt>
            <dd><code>${text}</code></dd>`,
      )}
    </dl>`;
}

/** The report's style: light and dark as the reader's system is, and black on white on paper. */
const style = `
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1d1f23;--soft:#5c6270;--line:#dcdde2;--hit:#1f7a4d;--miss:#c2410c;
--train:#8a6fd1;--held:#0f6fb5;--good:#1f7a4d;--fair:#a16207;--bad:#b42318;--tint:#f1f1ee}
@media (prefers-color-scheme:dark){:root{--bg:#15171b;--card:#1d2026;--ink:#e8e9ec;--soft:#a0a6b4;--line:#343943;--hit:#3fae78;
--miss:#f0803c;--train:#b39df0;--held:#5cb0ee;--good:#4fc48b;--fair:#e0b341;--bad:#f27c70;--tint:#23272e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:32px 24px 64px;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
h1{font-size:22px;margin:0 0 2px}h2{font-size:18px;margin:40px 0 8px}h3{font-size:15px;margin:20px 0 6px}
p{margin:6px 0}.soft,figcaption,th{color:var(--soft)}small{font-size:12.5px}
.verdict{margin:20px 0;padding:18px 22px;background:var(--card);border:1px solid var(--line);border-left:6px solid var(--fair);border-radius:8px}
.verdict.yes{border-left-color:var(--good)}.verdict.no{border-left-color:var(--bad)}.verdict.unknown{border-left-color:var(--soft)}
.verdict .answer{font-size:19px;font-weight:600;margin:0 0 8px}.verdict h3{margin-top:14px}
ol,ul{margin:4px 0;padding-left:22px}li{margin:3px 0}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}
.tile{flex:1 1 150px;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.tile b{display:block;font-size:24px;font-weight:600;line-height:1.3}
.warn{margin:8px 0;padding:8px 14px;background:var(--card);border:1px solid var(--line);border-left:6px solid var(--fair);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:13.5px;background:var(--card);border:1px solid var(--line);border-radius:8px}
th,td{padding:4px 10px;text-align:left;border-bottom:1px solid var(--line);vertical-align:middle}
th{font-weight:500;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td{overflow-wrap:anywhere}td.b{white-space:nowrap;overflow-wrap:normal}tr:last-child td{border-bottom:0}

.bar{display:inline-block;width:72px;height:9px;margin-right:8px;background:var(--tint);border-radius:5px;overflow:hidden;vertical-align:middle}
.bar i{display:block;height:100%;background:var(--hit)}.bar.low i{background:var(--miss)}.bar.count i{background:var(--held)}
.wide{overflow-x:auto}svg{max-width:100%;height:auto}svg text{fill:var(--ink);font-family:inherit}
.heat rect.plot{fill:var(--tint)}.heat rect.hit{fill:var(--hit)}.heat rect.miss{fill:var(--miss)}.heat text.on{fill:var(--card)}
.charts{display:flex;flex-wrap:wrap;gap:20px}figure{margin:0}.charts figure{flex:1 1 400px}
.curve{font-size:11px}.curve text{fill:var(--soft)}.curve .grid{stroke:var(--line)}
.curve polyline{fill:none;stroke-width:2}.curve polyline.train{stroke:var(--train)}.curve polyline.held{stroke:var(--held)}
.curve circle.train{fill:var(--train)}.curve circle.held{fill:var(--held)}
.key::before{content:"";display:inline-block;width:14px;height:3px;margin:0 5px 3px 8px;vertical-align:middle;background:var(--held)}
.key.train::before{background:var(--train)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px}
.gallery figure{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px;font-size:12.5px;overflow-wrap:anywhere}
.gallery img,.gallery .none{display:block;width:100%;height:110px;object-fit:contain;background:var(--tint);border-radius:4px;margin-bottom:6px}
.pair{display:flex;gap:6px}.pair>*{flex:1 1 0;min-width:0}
.right{color:var(--good)}.wrong{color:var(--bad)}code{font-size:12.5px;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;font-size:13.5px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--hit:#1f7a4d;--miss:#c2410c;--train:#6a4fc0;
--held:#0f6fb5;--good:#1f7a4d;--fair:#a16207;--bad:#b42318;--tint:#f1f1ee}body{max-width:none;padding:0;font-size:11pt}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2,h3{break-after:avoid}
.verdict,figure,.tile,tr,.heat{break-inside:avoid}.heat{max-height:240mm}thead{display:table-header-group}}
`;

/** The top of the report: the answer in words, and the few numbers behind it. */
function verdictCard(input: ReportInput): Html {
  const { grade, answer, because, next } = verdict(input);
  return html`<section class="verdict ${grade}">
    <h3>Is this good enough?</h3>
    <p class="answer">${answer}</p>
    ${because.map((line) => html`<p>${line}</p>`)}${
      next.length > 0 &&
      html`<h3>What to photograph next</h3>
        <ol>
          ${next.map((step) => html`<li>${step}</li>`)}
        </ol>`
    }
  </section>`;
}

function summaryTiles(input: ReportInput): Html {
  const { judgement, holdOut } = input;
  const { metrics, inferMs } = judgement;
  const { top1, top5, count } = metrics;
  const interval = accuracyInterval(input, judgement);
  const sure = interval
    ? `${percent(interval.low)} to ${percent(interval.high)}, 95 % confidence`
    : `${holdOut?.groups.count ?? 0} groups of similar pictures, no interval`;
  const tiles: [string, string, string][] = [
    [percent(top1), 'correct (top-1)', count > 0 ? sure : ''],
    [percent(top5), 'in the top five (top-5)', ''],
    [String(worstMistakes(judgement).length), 'mistakes', `on ${count} images`],
    [`${inferMs.toFixed(1)} ms`, 'inference per image', 'median, on this machine'],
  ];
  return html`<div class="tiles">
    ${tiles.map(
      ([value, what, more]) =>
        html`<div class="tile"><b>${value}</b>${what}<br /><small class="soft">${more}</small></div>`,
    )}
  </div>`;
}
