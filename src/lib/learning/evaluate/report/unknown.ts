/** The report's section on objects of none of the classes: how they are told, and which classes would not be. */
import { html, type Html } from '../../../base/report/html.ts';
import { percent } from '../../../base/report/table.ts';
import { unknownShare } from '../expected.ts';
import { images } from './counts.ts';
import type { ReportInput } from './input.ts';

const mostClasses = 12;

/** One sentence each, for the summary too; nothing where the model does not tell. */
export function unknownLines({ judgement, novelty, foreign }: ReportInput): string[] {
  if (novelty !== undefined && 'reason' in novelty)
    return [`Unknown objects are not noticed: ${novelty.reason}.`];
  const lines: string[] = [];
  const share = unknownShare(judgement);
  if (share !== undefined) {
    const calibrated =
      novelty &&
      ` (${percent(novelty.calibration.unknown)} of ${novelty.calibration.images} while calibrating)`;
    lines.push(
      `${percent(share)} of the ${images(judgement.metrics.count)} of known objects are called unknown${calibrated ?? ''}.`,
    );
  }
  if (foreign !== undefined) {
    lines.push(
      `${percent(foreign.unknown)} of ${images(foreign.images)} of other objects are called unknown ` +
        `(area under the ROC curve: ${foreign.auroc.toFixed(4)}).`,
    );
  }
  if (novelty !== undefined && novelty.leftOut.length > 0) {
    const { leftOut } = novelty;
    const total = leftOut.reduce((sum, one) => sum + one.images, 0);
    const caught = leftOut.reduce((sum, one) => sum + one.images * one.caught, 0) / total;
    const auroc = leftOut.reduce((sum, one) => sum + one.images * one.auroc, 0) / total;
    lines.push(
      `Objects like your classes are harder: with each class left out in turn, ${percent(caught)} of its images are called unknown ` +
        `(area under the ROC curve: ${auroc.toFixed(2)}; 0.5 is chance); hardest: ${leftOut[0]!.label}.`,
    );
  }
  return lines;
}

/** How well confidences are meant; nothing where nobody calibrated. */
export function confidenceLine({ calibration }: ReportInput): string | undefined {
  return (
    calibration &&
    `Confidences are off by ${percent(calibration.after)} on average (${percent(calibration.before)} before calibration; ` +
      `temperature ${calibration.temperature.toFixed(2)}).`
  );
}

export function unknownSection(input: ReportInput): Html | undefined {
  const { novelty } = input;
  const lines = unknownLines(input);
  const confidence = confidenceLine(input);
  if (lines.length === 0) return confidence === undefined ? undefined : html`<p>${confidence}</p>`;
  const leftOut = novelty !== undefined && 'leftOut' in novelty ? novelty.leftOut : [];
  return html`<h2>Unknown objects</h2>
    ${lines.map((line) => html`<p>${line}</p>`)}
    ${
      leftOut.length > 0 &&
      html`<h3>Unknown objects like your classes</h3>
        <p class="soft">
          As if the class had not been trained: which share of its images would be called unknown. The worst
          first${leftOut.length > mostClasses && `; all ${leftOut.length} are in metrics.json`}.
        </p>
        <table>
          <thead>
            <tr>
              <th>class</th>
              <th class="n">images</th>
              <th class="n">called unknown</th>
              <th class="n">area under the ROC curve</th>
            </tr>
          </thead>
          <tbody>
            ${leftOut.slice(0, mostClasses).map(
              ({ label, images, caught, auroc }) =>
                html`<tr>
                  <td>${label}</td>
                  <td class="n">${images}</td>
                  <td class="n">${percent(caught)}</td>
                  <td class="n">${auroc.toFixed(2)}</td>
                </tr>`,
            )}
          </tbody>
        </table>`
    }
    ${confidence !== undefined && html`<p>${confidence}</p>`}`;
}
