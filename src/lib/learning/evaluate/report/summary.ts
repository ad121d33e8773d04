/** The top of the report: the answer in words, and the few numbers behind it. */
import { percent } from '../../../base/report/percent.ts';
import { wilson } from '../certainty.ts';
import { worstMistakes } from '../judge.ts';
import type { ReportInput } from '../report.ts';
import { html, type Html } from './html.ts';
import { verdict } from './verdict.ts';

export function verdictCard(input: ReportInput): Html {
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

export function summaryTiles({ judgements }: ReportInput): Html {
  return html`${judgements.map((judgement) => {
    const { metrics, model, inferMs } = judgement;
    const { top1, top5, count } = metrics;
    const { low, high } = wilson(Math.round(top1 * count), count);
    const tiles: [string, string, string][] = [
      [
        percent(top1),
        'right at once (top-1)',
        count > 0 ? `${percent(low)} to ${percent(high)}, 95 % certain` : '',
      ],
      [percent(top5), 'among the first five (top-5)', ''],
      [String(worstMistakes(judgement).length), 'mistakes', `on ${count} images`],
      [`${inferMs.toFixed(1)} ms`, 'of inference an image', 'median, on this machine'],
    ];
    return html`${judgements.length > 1 && html`<h3>${model.name} ${model.version}</h3>`}
      <div class="tiles">
        ${tiles.map(
          ([value, what, more]) =>
            html`<div class="tile"><b>${value}</b>${what}<br /><small class="soft">${more}</small></div>`,
        )}
      </div>`;
  })}`;
}
