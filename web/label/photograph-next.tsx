/** Which classes deserve more pictures, and why. */
import type { Accuracy } from '../answers.ts';
import { percent } from '../format.ts';
import { texts } from '../texts.ts';

const { label: t } = texts;

export function PhotographNext({ next }: { next: Accuracy['photographNext'] }) {
  const { classes, note } = next;
  if (classes.length === 0) return null;
  return (
    <section class="next" aria-labelledby="photograph-next">
      <h2 id="photograph-next">{t.next}</h2>
      <ol>
        {classes.map(({ label, share, why }) => (
          <li key={label}>
            <a href={`#/label?${new URLSearchParams({ category: label })}`} title={t.nextLabel(label)}>
              {label}
            </a>{' '}
            <span class="quiet">{t.ofImages(percent(100 * share))}</span>
            <ul>
              {why.map((reason) => (
                <li key={reason}>{reason}</li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      <p class="note">{note}</p>
    </section>
  );
}
