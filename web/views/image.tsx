/** One image: its picture, what the model says, and where it went. */
import type { ComponentChildren } from 'preact';
import type { Image as Found, Result } from '../answers.ts';
import { fullMoment, milliseconds } from '../format.ts';
import { usePoll } from '../hooks.ts';
import { Answer, Picture, TopFive } from '../parts.tsx';
import { texts } from '../texts.ts';

const { image: t } = texts;

export function ImagePage({ id }: { id: string }) {
  const polled = usePoll<Found>(`/v1/images/${encodeURIComponent(id)}`, 5000);
  return (
    <>
      <p>
        <a href="#/images">← {t.back}</a>
      </p>
      <h1>{t.heading}</h1>
      {polled.error?.status === 404 ? (
        <p class="note bad">{t.missing}</p>
      ) : (
        <Answer polled={polled}>
          {({ status, imageKey, result, failure }) => (
            <div class="one">
              <Picture imageKey={imageKey} side={1024} alt={result?.category ?? ''} />
              <div>
                {status === 'pending' && <p class="note">{t.pending}</p>}
                {failure !== null && (
                  <p class="verdict bad">
                    {t.failed}: {failure.message} ({failure.code})
                  </p>
                )}
                {result !== null && <Told result={result} />}
                <h2>{t.details}</h2>
                <dl>
                  <Fact name={t.key}>{imageKey}</Fact>
                  <Fact name={t.request}>{id}</Fact>
                  {result !== null && <Facts result={result} />}
                </dl>
              </div>
            </div>
          )}
        </Answer>
      )}
    </>
  );
}

function Told({ result }: { result: Result }) {
  return (
    <>
      <h2>{t.top}</h2>
      <TopFive top={result.top} />
    </>
  );
}

function Facts({ result }: { result: Result }) {
  const { bin, binReason, binVersion, capturedAt, processedAt, latencyMs, belt, model, hostname, novelty } =
    result;
  const why = binReason === null ? '' : ` (${t.reasons[binReason] ?? binReason})`;
  return (
    <>
      <Fact name={t.bin}>
        {bin === null ? t.noBin : `${bin}${why}, ${texts.now.version(binVersion ?? 0)}`}
      </Fact>
      {typeof novelty === 'number' && <Fact name={t.novelty}>{novelty.toFixed(2)}</Fact>}
      {capturedAt !== null && <Fact name={t.captured}>{fullMoment(capturedAt)}</Fact>}
      <Fact name={t.recorded}>{fullMoment(processedAt)}</Fact>
      <Fact name={t.latency}>{milliseconds(latencyMs)}</Fact>
      {belt !== null && <Fact name={t.belt}>{belt}</Fact>}
      <Fact name={t.model}>
        {model.name} {model.version}
      </Fact>
      <Fact name={t.host}>{hostname}</Fact>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
