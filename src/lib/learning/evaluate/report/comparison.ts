/** Tables of the report: every class, and two models side by side. */
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import { compareJudgements, distinctNames, type PairedImage } from '../compare.ts';
import type { Judgement } from '../judge.ts';
import { confusedPairs } from '../metrics.ts';
import { classCounts, leastImages } from './counts.ts';
import { answerLines, picture, type Thumbnails } from './gallery.ts';
import type { ReportInput } from './input.ts';

const mostImages = 12;
const mostClasses = 10;

export async function comparisonSection(
  first: Judgement,
  second: Judgement,
  thumbnails: Thumbnails,
): Promise<Html> {
  const { images, both, neither, onlyFirst, onlySecond, p, words } = compareJudgements(first, second);
  const [one, other] = distinctNames(first, second);
  const gallery = async (
    name: string,
    pairs: readonly PairedImage[],
    loser: Judgement,
    side: 'first' | 'second',
  ) => {
    const shown: Html[] = [];
    for (const pair of pairs.slice(0, mostImages)) {
      shown.push(await picture(pair.first.path, answerLines(loser, pair[side]), thumbnails));
    }
    return (
      shown.length > 0 &&
      html`<h3>Only ${name} is right (${pairs.length}); the other’s answers</h3>
        <div class="gallery">${shown}</div>`
    );
  };
  return html`<h2>${one} compared with ${other}</h2>
    <p>${words}</p>
    <table>
      <thead>
        <tr>
          <th>on the same ${images} images</th>
          <th class="n">${other} right</th>
          <th class="n">${other} wrong</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <td>${one} right</td>
          <td class="n">${both}</td>
          <td class="n">${onlyFirst.length}</td>
        </tr>
        <tr>
          <td>${one} wrong</td>
          <td class="n">${onlySecond.length}</td>
          <td class="n">${neither}</td>
        </tr>
      </tbody>
    </table>
    <p class="soft">McNemar’s exact test, two-sided: p = ${p < 0.001 ? p.toExponential(1) : p.toFixed(3)}.</p>
    ${classDifferences(first, second, one, other)} ${await gallery(one, onlyFirst, second, 'second')}
    ${await gallery(other, onlySecond, first, 'first')}`;
}

function classDifferences(first: Judgement, second: Judgement, one: string, other: string): Html | false {
  const others = new Map(second.metrics.perClass.map((c) => [c.label, c.recall]));
  const rows = first.metrics.perClass
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
            <th class="n">recall of ${one}</th>
            <th class="n">recall of ${other}</th>
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

const low = 0.8;

/** Every class: how many images, how many of them recognised, how far its answers can be trusted. */
export function classTable(input: ReportInput): Html {
  const [{ labels, metrics }] = input.judgements;
  const counts = new Map(classCounts(input).map((count) => [count.label, count]));
  const trained = input.counts !== undefined;
  const largest = Math.max(1, ...[...counts.values()].map(({ train, held }) => (trained ? train : held)));
  const takenFor = new Map<string, string>();
  for (const { truth, answer, images } of confusedPairs(labels, metrics)) {
    if (!takenFor.has(truth)) takenFor.set(truth, `${answer} (${images})`);
  }
  const rows = metrics.perClass
    .filter(({ label, count }) => count > 0 || counts.has(label))
    .sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2) || b.count - a.count);
  return html`<table>
    <thead>
      <tr>
        <th>class</th>
        ${trained && html`<th>trained on</th>`}
        <th class="n">tested on</th>
        <th>recall</th>
        <th>precision</th>
        <th>mostly mistaken for</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(({ label, recall, precision, count }) => {
        const train = counts.get(label)?.train ?? 0;
        return html`<tr>
          <td>${label}</td>
          ${trained && html`<td class="b">${countBar(train, largest)}</td>`}
          <td class="n">${count}</td>
          <td class="b">${bar(recall)}</td>
          <td class="b">${bar(precision)}</td>
          <td>${takenFor.get(label)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function bar(share: number | null): Html {
  if (share === null) return html`<span class="soft">–</span>`;
  return html`<span class="bar${share < low && ' low'}"
      ><i style="width:${(100 * share).toFixed(0)}%"></i></span
    >${percent(share, 0)}`;
}

function countBar(count: number, largest: number): Html {
  const few = count < leastImages && html` <span class="wrong">few</span>`;
  return html`<span class="bar count"><i style="width:${((100 * count) / largest).toFixed(0)}%"></i></span
    >${count}${few}`;
}
