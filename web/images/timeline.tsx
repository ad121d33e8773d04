/** Where an image's time went: bars to scale, and the same as a table. */
import type { Result } from '../shared/answers.ts';
import { milliseconds, percent } from '../shared/format.ts';
import { texts } from '../texts.ts';
import { countsFromCapture, shareOf, type Stage, timelineOf } from './stage-times.ts';

const { timeline: t } = texts;

const waitingStage = 'waiting';
/** Below this share of the whole, in percent, work is drawn once more by itself. */
const tooThin = 40;

export function TimeSpent({ result, stages }: { result: Result; stages: Record<string, number> }) {
  const { capturedAt, processedAt, latencyMs } = result;
  const { total, waiting, work, stages: steps } = timelineOf(stages, latencyMs);
  if (total === 0) return null;
  const all = waiting === null ? steps : [{ name: waitingStage, ms: waiting }, ...steps];
  const from = countsFromCapture(capturedAt, processedAt, latencyMs) ? t.fromCapture : t.fromMessage;
  return (
    <section class="spent">
      <h2>{t.heading}</h2>
      <p class="quiet">{waiting === null ? t.onlyWork : from(milliseconds(total))}</p>
      <Spans stages={all} />
      {waiting !== null && work > 0 && shareOf(work, total) < tooThin && (
        <>
          <p class="quiet">{t.work(milliseconds(work))}</p>
          <Spans stages={steps} />
        </>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">{t.stage}</th>
            <th scope="col" class="right">
              {t.time}
            </th>
            <th scope="col" class="right">
              {t.share}
            </th>
          </tr>
        </thead>
        <tbody>
          {all.map(({ name, ms }) => (
            <tr key={name}>
              <th scope="row">
                <i class={`span ${name}`} /> {t.stages[name] ?? name}
              </th>
              <td class="right">{milliseconds(ms)}</td>
              <td class="right">{percent(shareOf(ms, total))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The table tells the same to those who do not see it. */
function Spans({ stages }: { stages: readonly Stage[] }) {
  return (
    <div class="spans" aria-hidden="true">
      {stages.map(({ name, ms }) => (
        <span
          key={name}
          class={`span ${name}`}
          style={{ flexGrow: ms }}
          title={`${t.stages[name] ?? name}: ${milliseconds(ms)}`}
        />
      ))}
    </div>
  );
}
