/** The rules in force, and where results went. */
import type { BinCounts, Bins as Rules, Rights } from '../answers.ts';
import { number, percent } from '../format.ts';
import { usePoll } from '../hooks.ts';
import { Answer, Bar } from '../parts.tsx';
import { texts } from '../texts.ts';
import { EditBins } from './bins-edit.tsx';

const { bins: t } = texts;

export function Bins({ rights }: { rights: Rights | undefined }) {
  const rules = usePoll<Rules>('/v1/bins', 5000);
  const counts = usePoll<BinCounts>('/v1/bins/counts', 3000);
  return (
    <>
      <h1>{t.heading}</h1>
      <Answer polled={rules}>
        {(found) => (found.rules === null ? <p class="note">{t.none}</p> : <InForce bins={found} />)}
      </Answer>
      <Answer polled={counts}>{(found) => <Counts counts={found} />}</Answer>
      {rights?.may.operate === true && rules.data !== undefined && (
        <EditBins bins={rules.data} again={rules.again} />
      )}
    </>
  );
}

function InForce({ bins: { version, source, rules } }: { bins: Rules }) {
  const least = (value: number, unit: string) => (value === 0 ? t.any : `${value} ${unit}`);
  return (
    <section>
      <p class="note">{t.inForce(version ?? 0, source ?? '')}</p>
      <div class="scroll" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th>{t.bin}</th>
              <th>{t.classes}</th>
              <th class="right">{t.confidence}</th>
              <th class="right">{t.margin}</th>
            </tr>
          </thead>
          <tbody>
            {rules!.bins.map(({ bin, classes, confidence, margin }, n) => (
              <tr key={n}>
                <td>{bin}</td>
                <td>{classes.join(', ')}</td>
                <td class="right">{least(confidence, '%')}</td>
                <td class="right">{least(margin, '')}</td>
              </tr>
            ))}
            <tr>
              <td>{rules!.manual}</td>
              <td class="quiet">{t.manual}</td>
              <td />
              <td />
            </tr>
            {rules!.unknown !== rules!.manual && (
              <tr>
                <td>{rules!.unknown}</td>
                <td class="quiet">{t.unknown}</td>
                <td />
                <td />
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Counts({ counts: { minutes, bins } }: { counts: BinCounts }) {
  const all = bins.reduce((sum, { results }) => sum + results, 0);
  return (
    <section>
      <h2>{t.counts(minutes)}</h2>
      {all === 0 ? (
        <p class="note">{t.noResults}</p>
      ) : (
        <div class="scroll" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th>{t.bin}</th>
                <th>{t.why}</th>
                <th class="right">{t.results}</th>
                <th>{t.share}</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {bins.map(({ bin, reason, results }) => (
                <tr key={`${bin} ${reason}`}>
                  <td>{bin ?? '–'}</td>
                  <td>{reason === null ? '' : (texts.image.reasons[reason] ?? reason)}</td>
                  <td class="right">{number(results)}</td>
                  <td>
                    <Bar share={(100 * results) / all} />
                  </td>
                  <td class="right">{percent((100 * results) / all)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
