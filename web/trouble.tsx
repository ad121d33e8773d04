/** What keeps the page from knowing how things are now: the server does not answer, or one behind it does not. */
import { useEffect, useState } from 'preact/hooks';
import type { Status } from './answers.ts';
import { age, moment } from './format.ts';
import { type Polled, useClock } from './hooks.ts';
import { texts } from './texts.ts';
import { Command } from './verdict.tsx';

const { trouble: t } = texts;

type Away = Status['away'];

/** Without an answer for so long, what is shown is not of now, in milliseconds. */
const lateMs = 15_000;

/** Whether what was answered last is too old to be shown as what is. */
export function useStale({ error, at }: Polled<unknown>): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    const timer = setTimeout(() => setLate(true), lateMs - (Date.now() - at));
    return () => clearTimeout(timer);
  }, [at]);
  return error !== undefined || late;
}

/** Stands where the verdict would. */
export function Trouble({ polled }: { polled: Polled<Status> }) {
  const now = useClock();
  const { error, at, data } = polled;
  const away = (error?.body as { away?: Away } | undefined)?.away ?? [];
  const lost = error === undefined || error.status === 0;
  return (
    <div class={`verdict bad trouble ${lost ? 'lost' : ''}`} role="alert">
      {lost ? (
        <p>{t.lost(texts.since(moment(new Date(at).toISOString()), age(now - at)))}</p>
      ) : away.length === 0 ? (
        <p>{error.message}</p>
      ) : (
        away.map(({ server, reason, since }) => (
          <p key={server}>
            {t.away(t.names[server], texts.since(moment(since), age(now - Date.parse(since))))}
            <span class="hint">{reason}</span>
          </p>
        ))
      )}
      {!lost && away.length > 0 && <Command text="visionscale doctor" />}
      <p class="hint">
        {data === undefined ? t.nothing : t.shown(moment(new Date(at).toISOString()))}
        {data !== undefined && !lost && ` ${t.again}`}
      </p>
    </div>
  );
}
