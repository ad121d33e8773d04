/** The page of `model compare`: which model to take, the table of all, and where the others differ from the best. */
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import type { Interval } from '../../../base/statistics.ts';
import type { Comparison } from '../compare.ts';
import { type ComparedModel, top1 } from '../comparison.ts';
import { isRight, type JudgedImage, type Judgement } from '../judge.ts';
import { points, recommend } from '../recommend.ts';
import { images } from './counts.ts';
import { answerLines, picture, Thumbnails } from './gallery.ts';
import { documentOf } from './page.ts';

const mostImages = 12;
const mostClasses = 10;

/** `created`: ISO 8601. */
export async function comparisonPage(comparison: Comparison, created: string): Promise<string> {
  const { models, best, groups, classes, leftOut, dataDigest } = comparison;
  const { words } = recommend(comparison);
  const thumbnails = new Thumbnails();
  const sections: Html[] = [];
  for (const model of models) if (model !== best) sections.push(await differences(best, model, thumbnails));
  const body = html`<h1>Which model?</h1>
    <p class="soft">
      ${created.slice(0, 16).replace('T', ' ')} UTC, on ${images(comparison.images)} of ${classes.length}
      classes
    </p>
    <section class="verdict">
      <p class="answer">${words}</p>
      <p>
        Pictures of one group are alike, so intervals count groups: ${groups.count}, the largest has
        ${images(groups.largest)}.
      </p>
      ${leftOut.length > 0 && html`<p>Left out, because not all models know them: ${leftOut.join(', ')}.</p>`}
    </section>
    ${table(comparison)} ${sections}
    <h2>How this was measured</h2>
    <p>
      Time is the median of decoding, preparing and inference of an image in one worker on this machine;
      images go through the models in turn. Images per second come from processor time. Intervals are of 95 %.
    </p>
    <dl>
      ${models.map(
        ({ name, judgement }) =>
          html`<dt>${name}</dt>
            <dd>
              <code>${judgement.model.name} ${judgement.model.version}, ${judgement.model.digest}</code>
            </dd>`,
      )}
      <dt>Data</dt>
      <dd><code>${dataDigest}</code></dd>
    </dl>`;
  return documentOf('Which model?', body);
}

function table({ models, best }: Comparison): Html {
  const toldUnknown = models.some(({ unknown }) => unknown !== undefined);
  return html`<table>
    <thead>
      <tr>
        <th>model</th>
        <th class="n">correct (top-1)</th>
        <th class="n">95 %</th>
        <th class="n">points behind the best</th>
        <th class="n">in the top five</th>
        <th class="n">ms an image</th>
        <th class="n">images/s a core</th>
        <th class="n">MB</th>
        ${toldUnknown && html`<th class="n">called unknown</th>`}
      </tr>
    </thead>
    <tbody>
      ${models.map(
        (model) =>
          html`<tr>
            <td>${model.name}</td>
            <td class="n">${percent(top1(model))}</td>
            <td class="n">${rangeOf(model.interval95)}</td>
            <td class="n">
              ${model === best ? 'best' : model.behind ? `${points(model.behind.mean)} (${rangeOf(model.behind)})` : '–'}
            </td>
            <td class="n">${percent(model.judgement.metrics.top5)}</td>
            <td class="n">${model.ms.toFixed(1)}</td>
            <td class="n">${perSecond(model)}</td>
            <td class="n">${megabytes(model)}</td>
            ${toldUnknown && html`<td class="n">${percent(model.unknown ?? null)}</td>`}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** In points; `–` where nothing is known. */
export function rangeOf(interval: Interval | null): string {
  return interval === null ? '–' : `${points(interval.low)} to ${points(interval.high)}`;
}

/** Images that a core does in a second. */
export function perSecond({ cpuMs }: ComparedModel): string {
  return cpuMs === null ? '–' : (1000 / cpuMs).toFixed(0);
}

export function megabytes({ bytes }: ComparedModel): string {
  return (bytes / 1e6).toFixed(1);
}

async function differences(best: ComparedModel, other: ComparedModel, thumbnails: Thumbnails): Promise<Html> {
  // Both were judged on the same images.
  const pairs = best.judgement.answers.map((first, i) => ({ first, second: other.judgement.answers[i]! }));
  const onlyFirst = pairs.filter(({ first, second }) => isRight(first) && !isRight(second));
  const onlySecond = pairs.filter(({ first, second }) => !isRight(first) && isRight(second));
  const gallery = async (name: string, mistakes: readonly JudgedImage[], loser: Judgement) => {
    const shown: Html[] = [];
    for (const mistake of mistakes.slice(0, mostImages)) {
      shown.push(await picture(mistake.path, answerLines(loser, mistake), thumbnails));
    }
    return (
      shown.length > 0 &&
      html`<h3>Only ${name} is right (${mistakes.length}); the other’s answers</h3>
        <div class="gallery">${shown}</div>`
    );
  };
  const missed = onlyFirst.map(({ second }) => second);
  const gained = onlySecond.map(({ first }) => first);
  return html`<h2>${best.name} and ${other.name}</h2>
    <p>
      Only ${best.name} is right on ${images(onlyFirst.length)}, only ${other.name} on
      ${images(onlySecond.length)}.
    </p>
    ${classDifferences(best, other)} ${await gallery(best.name, missed, other.judgement)}
    ${await gallery(other.name, gained, best.judgement)}`;
}

function classDifferences(first: ComparedModel, second: ComparedModel): Html | false {
  const others = new Map(second.judgement.metrics.perClass.map((c) => [c.label, c.recall]));
  const rows = first.judgement.metrics.perClass
    .map(({ label, recall, count }) => ({ label, count, a: recall ?? 0, b: others.get(label) ?? 0 }))
    .filter(({ count, a, b }) => count > 0 && a !== b)
    .sort((x, y) => Math.abs(y.a - y.b) * y.count - Math.abs(x.a - x.b) * x.count)
    .slice(0, mostClasses);
  return (
    rows.length > 0 &&
    html`<h3>Where they differ most</h3>
      <table>
        <thead>
          <tr>
            <th>class</th>
            <th class="n">images</th>
            <th class="n">recall of ${first.name}</th>
            <th class="n">recall of ${second.name}</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ label, count, a, b }) =>
              html`<tr>
                <td>${label}</td>
                <td class="n">${count}</td>
                <td class="n">${percent(a, 0)}</td>
                <td class="n">${percent(b, 0)}</td>
              </tr>`,
          )}
        </tbody>
      </table>`
  );
}
