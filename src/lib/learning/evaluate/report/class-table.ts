/** The table of the report: every class. */
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import { confusedPairs } from '../metrics.ts';
import { classCounts, leastImages } from './counts.ts';
import type { ReportInput } from './input.ts';

const low = 0.8;

/** Every class: how many images, how many of them recognised, how far its answers can be trusted. */
export function classTable(input: ReportInput): Html {
  const { labels, metrics } = input.judgement;
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
