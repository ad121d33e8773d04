/** What keeps the server from telling how things are now: one behind it does not answer. */
import type { Status } from '../shared/answers.ts';
import { age, moment } from '../shared/format.ts';
import { type Polled, useClock } from '../shared/hooks.ts';
import { Ticking } from '../shared/parts.tsx';
import { texts } from '../texts.ts';
import { Command } from './verdict.tsx';

const { trouble: t } = texts;

type Away = Status['away'];

/** Stands where the verdict would. */
export function Trouble({ polled: { error, at, data } }: { polled: Polled<Status> }) {
  const now = useClock();
  const away = (error?.body as { away?: Away } | undefined)?.away ?? [];
  return (
    <div class="verdict bad trouble" role="alert">
      {away.length === 0 && <p>{error?.message}</p>}
      {away.map(({ server, reason, since }) => (
        <p key={server}>
          <Ticking>
            {t.away(t.names[server], texts.since(moment(since), age(now - Date.parse(since))))}
          </Ticking>
          <span class="hint">{reason}</span>
        </p>
      ))}
      {away.length > 0 && <Command text="visionscale doctor" />}
      <p class="hint">
        {data === undefined ? t.nothing : `${t.shown(moment(new Date(at).toISOString()))} ${t.again}`}
      </p>
    </div>
  );
}
